"""`mrs-disc init`: draft study.toml for a folder of scanner files."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Draft study.toml for FOLDER: spectra, water references, levels and the anatomy image.

    Sub-folders are searched too, as a PACS exports them. Every guess is marked GUESS in the draft;
    an existing study.toml is left as it is.

    Example: mrs-disc init converted
    """
    from mrs_disc.io.studies.draft import write_draft

    path, draft = write_draft(folder)
    for remark in draft.remarks:
        click.echo(remark, err=True)
    click.echo(
        f"{draft.n_discs} disc{'s' * (draft.n_discs != 1)}, guesses to check: {draft.n_guesses}; "
        f"then: mrs-disc info {folder}",
        err=True,
    )
    click.echo(path)
