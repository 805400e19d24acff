"""The words of every finding, in one table: kind to sentence, and to what follows from it.

A template names the values of the finding in braces. `mrs_disc.record.findings` formats it: after
a colon stands what Python's own formatting knows (``{snr:.1f}``), with a unit after a blank and
what to say of an unknown value after a bar (``{echo_time_ms:g ms|unknown}``), or one of:

==================  ==============================================================================
``beside 5.0 1``    a number of 1 decimal place or more: as show on which side of 5.0 it lies
``probability``     a probability that never claims certainty
``ratio``           a likelihood ratio that never claims proof
``field``           the words for a field of the records, such as ``echo_time_s``
``list``, ``and``   texts or findings joined by commas, or as a sentence joins them (``and %g T``)
``clauses``         findings joined by semicolons
``value``           a number in its shortest form, or a word
``verb does do``    the first for one item of a list, the second for several
``by .3g``          numbers joined as the edges of a voxel
``each %s of %s``   the entries of a mapping, each in this form
==================  ==============================================================================

Names of files are values too, as paths: a report shows labels in their place, a terminal the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal[
    "forbids", "problem", "guess", "note", "method", "reason", "passed", "remark", "because"
]
"""What follows from a finding.

``forbids``: the level cannot be analysed. ``problem``: the result may be wrong, or something was
left out; `mrs-disc info` shows it as a problem. ``guess``: assumed without a word from file or
user, to be confirmed. ``note``: what was mended or found. ``method``: how it was computed; reports
say it, the terminal does not. ``reason``: of a verdict or a score.
``passed``: a gate that was passed. ``remark``: worth a line beside the reasons. ``because``: stands
inside another finding and says why.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table.

    Parameters
    ----------
    words : str
        The sentence, with the finding's values in braces.
    role : Role
        What follows from such a finding.
    verdict : {"acceptable", "poor"} or None
        The best verdict on the spectrum that it leaves.
    """

    words: str
    role: Role = "note"
    verdict: Literal["acceptable", "poor"] | None = None


FIELDS = {
    "echo_time_s": "echo time",
    "spectrometer_mhz": "spectrometer frequency",
    "dwell_time_s": "dwell time",
    "repetition_time_s": "repetition time",
}
"""What a sentence calls a field of the records."""

KINDS: dict[str, Kind] = {
    # ---- which disc: names of levels against places, files and headers
    "levels_exchanged": Kind(
        "{lower} lies {higher_mm:.0f} mm above {upper}, though its name says below "
        "({upper} at {upper_z_mm:.0f} mm, {lower} at {lower_z_mm:.0f} mm towards the head): "
        "the files of the two were exchanged, or their names; correct the names",
        "forbids",
    ),
    "levels_at_one_place": Kind(
        "{upper} and {lower} lie at one place, {apart_mm:.1f} mm apart ({upper} at "
        "{upper_z_mm:.0f} mm, {lower} at {lower_z_mm:.0f} mm towards the head): one disc under two "
        "names; correct the names, or name the repeat as run 2",
        "forbids",
    ),
    "same_file_twice": Kind(
        "{subject} and {other} are the same file: one measurement under two names; "
        "name each file once",
        "forbids",
    ),
    "same_measurement_twice": Kind(
        "{subject} and {other} have the same noise: one measurement under two names, copied or "
        "converted; name it once",
        "forbids",
    ),
    "same_noise_elsewhere": Kind(
        "{subject} and {other} have the same noise, though their voxels lie at two places: one "
        "measurement, of which one place is wrong; both count",
        "problem",
    ),
    "other_level_named": Kind(
        "{subject} is named {level} by its file's name or header: hold it against the image, and "
        "correct the one that is wrong",
        "problem",
    ),
    "same_water_twice": Kind(
        "{subject} and {other} have the same water reference: amounts that refer to water are "
        "wrong in one of them; name to each its own",
        "problem",
    ),
    "other_person": Kind(
        "the header of {subject} names another person than that of {others:and}: files of two "
        "examinations are mixed; take out what does not belong",
        "forbids",
    ),
    "spacing_unlikely": Kind(
        "{subject} lies {apart_mm:.0f} mm from {other}, where some {expected_mm:.0f} mm are usual: "
        "one of the two names may be wrong",
        "problem",
    ),
    "region_unlikely": Kind(
        "from {subject} to {last} all voxels lie {ratio:.2g} times as far apart as discs of these "
        "names do: the names may be of another region of the spine",
        "problem",
    ),
    "beside_the_spine": Kind(
        "{subject} lies {across_mm:.0f} mm across and {along_mm:.0f} mm along the body from "
        "{other}: one of the two voxels may lie beside the spine",
        "problem",
    ),
    "voxel_larger_than_disc": Kind(
        "the voxel of {subject} ({size} mm) is larger than a disc, which is up to "
        "{height_mm:.0f} mm high",
        "problem",
    ),
    "voxel_outside_image": Kind(
        "the voxel of {subject} lies {beyond_mm:.0f} mm outside the image", "problem"
    ),
    "voxel_mirrored": Kind(
        "the axes of the voxel of {subject} are mirrored against those of the other levels: "
        "left and right may be exchanged",
        "problem",
    ),
    "other_scanner": Kind(
        "{subject} was measured at {mhz:.4f} MHz, the others at {others_mhz:.4f} MHz: "
        "another scanner, or a file of another examination; amounts are compared as if alike",
        "problem",
    ),
    "level_unconfirmed": Kind(
        "{subject} is a guess from the voxel's place and not confirmed: hold it against the image, "
        "then set confirmed = true in study.toml",
        "guess",
    ),
    # ---- errors without a kind of their own
    "unreadable": Kind("{problem}", "forbids"),
    "refused": Kind("{problem}", "forbids"),
    "no_solution": Kind("the numbers do not allow a solution ({error})", "forbids"),
    "no_memory": Kind("not enough memory for this file", "forbids"),
    # ---- the files of a disc
    "no_such_file": Kind("there is no such file", "forbids"),
    "windows_path": Kind(
        "there is no such file: write / between folders, not \\, and begin at the folder of "
        "study.toml, as sub/file.dcm, not at a drive",
        "forbids",
    ),
    "empty_folder": Kind("the folder holds no spectroscopy file that is read", "forbids"),
    "no_match": Kind("the pattern finds no file", "forbids"),
    "no_pattern": Kind(
        "no pattern that can be looked for; give one relative to the folder, as IM_*.dcm", "forbids"
    ),
    "name_unusable": Kind("no file can have this name", "forbids"),
    "too_many_files": Kind("{n} files; at most {most} make one series", "forbids"),
    "no_metabolite_file": Kind("{level}: no metabolite file is named", "forbids"),
    "image": Kind("is an image, not spectroscopy (its samples are not complex)", "forbids"),
    "no_partner": Kind("its {what} {file} is not beside it", "forbids"),
    "partner_absent": Kind("its partner {file} is absent", "forbids"),
    "fid_in_pieces": Kind(
        "its header says {points} points, but it holds {n} times as many, and what follows begins "
        "as no FID does: the number of points is wrong; export it again",
        "forbids",
    ),
    "extensions_differ": Kind(
        "its header holds {n} MRS extensions (code 44) that contradict each other: keep the one "
        "that is right",
        "forbids",
    ),
    "reconstructed": Kind(
        "is what ParaVision reconstructed, a spectrum or an image, and not what was measured: name "
        "the fid or rawdata.job0 of the scan",
        "forbids",
    ),
    "signals_of_levels": Kind(
        "holds {n} signals, by their names of {levels:and}: write one level a file", "forbids"
    ),
    "parameter_absent": Kind("{file} has no valid {key} (Hz), which is required", "forbids"),
    "not_one_acquisition": Kind(
        "{file} and {first} are not of one acquisition: {why}. List the files of one series only.",
        "forbids",
    ),
    "other_format": Kind("{one} and {other}", "because"),
    "other_shape": Kind("{one[0]} coils x {one[1]} points and {other[0]} x {other[1]}", "because"),
    "other_value": Kind("{what} {one:.8g} and {other:.8g}", "because"),
    "other_subjects": Kind("their headers name different subjects", "because"),
    "other_series": Kind("their headers name different series", "because"),
    # ---- what a reader mended or assumed
    "frequency_in_hz": Kind("the spectrometer frequency stood in Hz and was divided by 1e6"),
    "sidecar_contradicts": Kind(
        "the JSON sidecar says {key} {sidecar:g}, the file's own header {file:g}: the header "
        "counts; correct one of them",
        "problem",
    ),
    "other_width": Kind(
        "its SpectralWidth of {hz:g} Hz contradicts its dwell time of {dwell_time_s:g} s, which "
        "makes {dwell_hz:g} Hz: the dwell time counts; correct one of them",
        "problem",
    ),
    "inverted": Kind(
        "an inversion {seconds:g} s before the excitation: what T1 leaves of each component then "
        "is in its amount, and nothing is corrected for it",
        "problem",
    ),
    "inversion_too_long": Kind(
        "InversionTime is {seconds:g}: seconds are expected, so that is no inversion at all; "
        "spec2nii 0.8.15 writes milliseconds of SDAT and IMA files there, and microseconds of twix "
        "files of XA. Nothing is corrected for an inversion",
        "problem",
    ),
    "inversion_contradicted": Kind(
        "its protocol lists an inversion time of {seconds:g} s, and says that no inversion pulse "
        "comes before: if one did, what T1 leaves of each component is in its amount, and nothing "
        "is corrected for it",
        "problem",
    ),
    "no_mrs_extension": Kind("no MRS header extension: frequency and dimensions are the sidecar's"),
    "no_time": Kind(
        "its {key} is {value:g|no number}: seconds expected, above 0 and below {below:g}"
    ),
    "time_implausible": Kind(
        "its {subject:field} of {seconds:g} s lies outside of {low:g} to {high:g} s and is not "
        "used: written in another unit?",
        "problem",
    ),
    "said_twice": Kind(
        "its header gives {key} as {one:g|no number} and as {other:g|no number}: neither is used",
        "problem",
    ),
    "field_contradicts": Kind(
        "its field strength of {field_t:g} T contradicts its frequency of {mhz:.6g} MHz, which is "
        "that of 1H at {taken_t:.3g} T: the frequency counts; correct the one that is wrong",
        "problem",
    ),
    "mixing_time_contradicts": Kind(
        "its header holds a mixing time of {seconds:g} s, but names {sequence}, which has none: "
        'where it is a stimulated echo, give sequence = "STEAM" with overrule = ["sequence"]',
        "problem",
    ),
    "list_of_other_length": Kind(
        "its dim_{axis}_header holds {key} of {n} values for {size} in that dimension: transients "
        "are missing, or it is another file's",
        "problem",
    ),
    "several_frequencies": Kind(
        "its SpectrometerFrequency is a list of {n} for one nucleus: the first, {mhz:.6g|no "
        "number} MHz, counts",
        "problem",
    ),
    "transients_like_coils": Kind(
        "the strengths of its transients are spread as those of coils (by {spread:.0%}): where "
        "they are coils, tag them as such, or each adds noise and phase of its own",
        "problem",
    ),
    "transients_silent": Kind(
        "{n} of {of} transients hold nothing and are left out: the scan was stopped, or they were "
        "lost",
        "problem",
    ),
    "transients_repeated": Kind(
        "{n} of {of} transients are copies of others and are left out: they count once", "problem"
    ),
    "instances_missing": Kind(
        "its instance numbers run from {first} to {last}, but {n} of them are missing: objects "
        "were lost on the way",
        "problem",
    ),
    "processed": Kind("the file says of its samples: {steps:list}"),
    "subtracted": Kind(
        "the file says that spectra were subtracted from each other: a difference spectrum is not "
        "analysed; name the spectra that were not",
        "forbids",
    ),
    "eddy_corrected_before": Kind(
        "no eddy-current correction: the file says that it was corrected already"
    ),
    "untagged_dimension": Kind(
        "dimension {dimension} of size {size} has no tag: taken as transients"
    ),
    "signals_as_transients": Kind(
        "{n} signals in the file: taken as transients of one acquisition"
    ),
    "sign_assumed": Kind(
        "plain text has no convention of sign: taken with larger ppm at larger frequency"
    ),
    "frames_in_order": Kind("frames taken in their order: no mapping of its sequence"),
    "no_end_mark": Kind(
        "the file has no end mark: the scan was stopped, or whole readouts are missing"
    ),
    "largest_scan": Kind("the first of the largest of {n} scans in the file is read"),
    "early_samples": Kind("the first {n} samples lie before the echo and are left out"),
    "echo_in_parts": Kind(
        "its EchoTime of {stated_ms:g ms} can be the first of three parts (svs_slaser_dkd): give "
        "{subject} in study.toml, or the whole EchoTime in a BIDS sidecar",
        "problem",
    ),
    "echo_in_known_parts": Kind(
        "its EchoTime of {stated_ms:g ms} can be the first of three parts (svs_slaser_dkd); where "
        "this part is met, the echo time is {known_ms:g ms}: give {subject} in study.toml, or the "
        "whole EchoTime in a BIDS sidecar",
        "problem",
    ),
    "short_semi_laser": Kind(
        "an echo time of {ms:g ms} is too short for the pulses of semi-LASER and can be a part of "
        "it: give {subject} in study.toml, or the whole EchoTime in a BIDS sidecar",
        "problem",
    ),
    "echo_time_by_sidecar": Kind(
        "the echo time of {s:g} s is that of the sidecar, where the file itself holds what can be "
        "a part of it ({file_s:g} s)",
        "problem",
    ),
    "no_start": Kind(
        "its AcquisitionStartTime is {value:g|no number}: seconds from the echo; 0 is taken",
        "problem",
    ),
    "no_carrier": Kind(
        "its {key} is {value:g|no number}: ppm expected, between {low:g} and {high:g}; {taken:g} "
        "ppm is taken",
        "problem",
    ),
    "carrier_off_water": Kind(
        "its Chemical Shift Reference (0018,9053) puts {ppm:g} ppm on the carrier, not water, and "
        "its lines are placed by it: where the carrier stood on water, correct it to {water:g}",
        "problem",
    ),
    "bruker_averages": Kind("dimension {dimension}, DIM_USER_0 of Bruker, is taken as transients"),
    "sides_by_dcm2niix": Kind(
        "dcm2niix placed its voxel, and swaps the in-plane sides of enhanced spectroscopy (seen in "
        "1.0.20260724): {one_mm:.3g} mm and {other_mm:.3g} mm may have changed places as drawn; "
        "its centre is right",
        "problem",
    ),
    "forms_differ": Kind(
        "its header gives two places that lie {apart_mm:.0f} mm apart (sform and qform): the first "
        "is taken; correct the one that is wrong",
        "problem",
    ),
    "no_voxel": Kind("its header holds no place and size of the voxel that can be read"),
    "reference_unfit": Kind("its reference scan has other points or coils and is not used"),
    "reference_coils": Kind(
        "its reference scan holds {n} coils and is not used with coils that were combined: name "
        "rawdata.job0 to use it"
    ),
    "reference_gain": Kind("the gain of its reference scan was {other:g}, not {gain:g}: scaled"),
    "reference_mean": Kind("{n} averages are taken to be their mean where amounts refer to water"),
    "fewer_transients": Kind(
        "{n} of {wanted} transients: the scan was stopped, or the file is cut off"
    ),
    "other_start": Kind("start after the echo {one:.6g} s and {other:.6g} s", "because"),
    "varies": Kind(
        "{keys:list} {keys:verb changes change} along the transients, or {keys:verb is are} said "
        "otherwise for all of them: series of several protocols; split it, or name one of its "
        "parts",
        "forbids",
    ),
    # ---- gate: what holds no signal
    "not_numbers": Kind("{n} of {of} {what} are not numbers (NaN or infinite)", "forbids"),
    "all_zero": Kind("all {what} are zero: there is no signal in it", "forbids"),
    "size_implausible": Kind(
        "the largest of {of} {what} is {peak:.2g}: between {low:g} and {high:g} expected; the file "
        "is broken, or was scaled and has to be scaled back",
        "forbids",
    ),
    # ---- gate: what forbids an analysis
    "other_nucleus": Kind("nucleus {nucleus}: only 1H spectra are analysed", "forbids"),
    "many_voxels": Kind(
        "{n} voxels: spectroscopic imaging is not analysed, only single voxels", "forbids"
    ),
    "edited": Kind(
        "edited spectra (MEGA, HERMES and the like): not analysed; measure without editing",
        "forbids",
    ),
    "more_dimensions": Kind(
        "dimension {sizes:each %s of %s}: only coils and transients are analysed; reduce the file "
        "to these first",
        "forbids",
    ),
    "not_complex": Kind(
        "the imaginary part of every sample is zero, or a multiple of the real one: half of the "
        "signal was lost when the file was written; export the complex FID",
        "forbids",
    ),
    "holds_spectrum": Kind(
        "its samples are a spectrum and no FID: they are largest at point {at} of {of}, and their "
        "Fourier transform decays as an FID does; export the time signal, or transform it back",
        "forbids",
    ),
    "fids_in_a_row": Kind(
        "each row holds {n} FIDs of {points} points end to end, as converters lay down the frames "
        "of one object; export one FID a file, or give them a dimension of their own",
        "forbids",
    ),
    "axes_exchanged": Kind(
        "the strengths of its transients are spread as those of coils (by {spread:.0%}), those of "
        "its coils are alike: the two dimensions were exchanged; correct their tags",
        "forbids",
    ),
    "wrapped": Kind(
        "its last {n} points are as strong as its first ones: the signal was shifted in a circle, "
        "as a first-order phase on the spectrum does; shift it back by {n} points",
        "forbids",
    ),
    "holes": Kind(
        "{share:.0%} of its samples are zero amid the signal, in every transient: samples were "
        "lost, or another file's layout was written; export it again",
        "forbids",
    ),
    "alternates": Kind(
        "by turns transients are {ratio:.3g} times as strong as the others: parts of a scheme that "
        "adds and subtracts (SPECIAL, ISIS); combine them first, as the sequence says",
        "forbids",
    ),
    "too_few_points": Kind("{n} points: at least {least} are needed", "forbids"),
    "dwell_time_implausible": Kind(
        "dwell time {dwell_time_s:.3g} s: between {low:.0e} and {high:.0e} s expected", "forbids"
    ),
    "frequency_implausible": Kind(
        "spectrometer frequency {spectrometer_mhz:.6g} MHz: between {low:g} and {high:g} expected",
        "forbids",
    ),
    "not_stated": Kind(
        "no {subject:field} in the file: give {subject} under [disc.acquisition] in study.toml",
        "forbids",
    ),
    "stated_wrong": Kind(
        "no {subject:field} in the file ({instead}): give {subject} under [disc.acquisition] in "
        "study.toml",
        "forbids",
    ),
    "user_contradicts": Kind(
        "[disc.acquisition] {subject} = {given:value}, but the file says {file:value}. Take the "
        'entry out, correct it, or add overrule = ["{subject}"] where the file is wrong.',
        "forbids",
    ),
    "overruled": Kind(
        "{subject} = {given:value} of the user counts, although the file says {file:value}"
    ),
    # ---- what acquire noticed
    "mirrored": Kind(
        "the spectrum lies mirrored about its carrier; analysis turns it over", "problem"
    ),
    "turned_over": Kind(
        "the spectrum lay mirrored about its carrier and was turned over (conjugated)"
    ),
    "clipped": Kind(
        "samples are clipped: the receiver was overdriven, amounts are distorted", "problem"
    ),
    "simulated": Kind("simulated"),
    # ---- water reference
    "no_water": Kind("no water reference", "problem"),
    "not_suppressed": Kind("the water of the metabolite spectrum is not suppressed", "problem"),
    "own_water": Kind("the water reference was found in the metabolite's own file"),
    "water_transients": Kind("{n} of {of} transients are unsuppressed water: the reference"),
    "of_the_water": Kind("water reference: {note}"),
    "water_not_used": Kind("water reference {file} is not used: {why}", "problem"),
    "other_subject": Kind("its header names another subject", "because"),
    "other_day": Kind("it was measured on another day", "because"),
    "other_maker": Kind("its scanner is of {came}, not of {wanted}", "because"),
    "other_model": Kind("its scanner is a {came}, not a {wanted}", "because"),
    "other_device": Kind("its header has another scanner's serial number", "because"),
    "other_frequency": Kind(
        "its spectrometer frequency is {came:.4f} MHz, not {wanted:.4f} MHz", "because"
    ),
    "same_samples": Kind("it holds the samples of the metabolite file", "because"),
    "other_voxel_size": Kind(
        "its voxel has {came_mm:by .3g} mm, not {wanted_mm:by .3g} mm", "because"
    ),
    "other_voxel_place": Kind("its voxel lies {apart_mm:.0f} mm away", "because"),
    "holds_no_water": Kind("its water is suppressed, or it holds none", "because"),
    "coils_see_otherwise": Kind(
        "the coils see it otherwise than the metabolites (overlap {overlap:.2f} of 1): it is of "
        "another voxel, or its coils stand in another order",
        "because",
    ),
    "measured_otherwise": Kind(
        "its {subject:field} is {came:g} s, that of the metabolites {wanted:g} s: each is "
        "corrected with its own"
    ),
    "water_mirrored": Kind(
        "its coils see it with the phases of a mirrored spectrum: turned over, as the metabolites "
        "lie"
    ),
    "carrier_moved": Kind(
        "its carrier lies {hz:+.3g} Hz from that of the metabolites: moved into their frame"
    ),
    "carrier_doubted": Kind(
        "its header puts its carrier {hz:+.3g} Hz from that of the metabolites, but its water lies "
        "with theirs as it is: not moved"
    ),
    "other_dwell_time": Kind(
        "dwell time of {file} is {came_s:.6g} s, that of {metabolite} {wanted_s:.6g} s: not one "
        "protocol. Name the reference that belongs to it, or leave water out.",
        "forbids",
    ),
    "other_coils": Kind(
        "water reference not used: it has {came} coils, the metabolite data {wanted}", "problem"
    ),
    # ---- preprocessing
    "zeros_cut": Kind("{n} zeros, or one value repeated, at the end of each FID were cut off"),
    "filter_undone": Kind(
        "a filter had been multiplied onto the FID ({filter}, {width_hz:.2g} Hz): divided out "
        "again, up to point {n}"
    ),
    "coil_left_out": Kind("coil {coil} left out: {why}"),
    "combined_by_scanner": Kind(
        "the scanner combined the metabolite data, but not the water reference"
    ),
    "eddy_not_corrected": Kind("no eddy-current correction: {why}"),
    # ---- a study
    "water_by_name": Kind("water reference from the files' names"),
    "reference_not_there": Kind(
        "the sidecar's ReferenceSignal names a file that is not there; paired by name"
    ),
    "water_chosen": Kind(
        "{file} is the water reference; {others:and} {others:verb is are} not used: of several, "
        "the one whose run, acq and echo agree counts, then the first by name"
    ),
    "run_by_name": Kind("run {run} is {file}, one of {n} files that their names tell apart"),
    "names_alike": Kind(
        "{files:and} cannot be told apart by their names: give one run-2, or take it out", "forbids"
    ),
    "nucleus_left_out": Kind(
        "{file} is left out: nucleus {nucleus}, only 1H spectra are analysed", "problem"
    ),
    "named_for_other": Kind(
        "{file} is left out: it lies in {place}, but its name gives another subject or session; "
        "put it where it belongs",
        "problem",
    ),
    "of_other": Kind("its name gives another subject", "because"),
    "voi_no_level": Kind("{file} is left out: voi-{voi} is not a disc level", "problem"),
    "run_no_number": Kind(
        "{file} is left out: run-{run} is no number from 1, as in run-02", "problem"
    ),
    "outside_region": Kind(
        'region = "{region}", where {where} {levels:verb does do} not lie', "problem"
    ),
    "id_like_a_person": Kind(
        "the study's id looks like a person's name or a date of birth, and it stands in every "
        "output: give the study another id",
        "problem",
    ),
    "anatomy_of_other": Kind(
        "the anatomy image is not used: its header names another person than the spectra", "problem"
    ),
    "anatomy_not_used": Kind("the anatomy image could not be used: {why}", "problem"),
    # ---- a draft
    "level_by_name": Kind("level from the file's name"),
    "level_by_series": Kind("level from the series' name"),
    "level_by_voxel": Kind("level from the voxel's place"),
    "level_by_order": Kind("level by the voxel's place, no name says it", "guess"),
    "level_lowest": Kind(
        "taken for the lowest disc, as neither name nor neighbour says it", "guess"
    ),
    "region_by_spacing": Kind("by the voxels' distance, lumbar where there is none", "guess"),
    "study_unnamed": Kind("your identifier, free of names", "guess"),
    "anatomy_proposed": Kind("{plane}, {n_slices} slices", "guess"),
    "repeated": Kind("measured again", "guess"),
    "role_unclear": Kind("metabolites or water is not clear", "guess"),
    "water_paired": Kind("same voxel, day and subject", "guess"),
    "spare_water": Kind("water reference of no disc found"),
    "not_placed": Kind("not placed"),
    # ---- verdict on a spectrum: signal and line
    "noise_unknown": Kind(
        "the noise of the spectrum or the height of {subject} is not known", "reason", "poor"
    ),
    "not_measurable": Kind(
        "{subject} is {ratio:beside {least} 1} times its error, below {least:g}", "reason", "poor"
    ),
    "snr_low": Kind(
        "SNR of {subject} is {snr:beside {least} 1}, below {least:g}", "reason", "poor"
    ),
    "snr_fair": Kind(
        "SNR of {subject} is {snr:beside {good} 1}; good from {good:g} on", "reason", "acceptable"
    ),
    "snr_good": Kind("SNR {snr:.1f}", "passed"),
    "no_linewidth": Kind("{subject} has no linewidth", "reason", "poor"),
    "linewidth_wide": Kind(
        "linewidth of {subject} is {hz:.1f} Hz ({ppm:beside {most} 2} ppm), above {most:g} ppm",
        "reason",
        "poor",
    ),
    "linewidth_fair": Kind(
        "linewidth of {subject} is {hz:.1f} Hz ({ppm:beside {good} 2} ppm); good up to {good:g} "
        "ppm",
        "reason",
        "acceptable",
    ),
    "linewidth_good": Kind("linewidth {hz:.1f} Hz ({ppm:.2f} ppm)", "passed"),
    # ---- verdict: fit
    "not_converged": Kind("{why}", "reason", "poor"),
    "residual_high": Kind(
        "the residual is {ratio:beside {most} 2} times the noise, above {most:g}: the model does "
        "not describe the spectrum",
        "reason",
        "poor",
    ),
    "residual_good": Kind("residual {ratio:.2f} times the noise", "passed"),
    "residual_structured": Kind(
        "the residual has structure (whiteness p below {limit:g})", "reason", "acceptable"
    ),
    "turned_in_doubt": Kind(
        "it was turned over, as its lines seemed to lie mirrored, and then holds {subject} alone: "
        "another shift than water's may lie on the carrier, though the file does not say so; "
        "write it as NIfTI-MRS with its SpecFreqChemShift",
        "reason",
        "poor",
    ),
    "below_zero": Kind(
        "{names:and} below zero, {subject} by {ratio:beside {most} 1} sd, beyond {most:g}: no disc "
        "holds less than none; echo time, phase or start of the signal may be wrong, or it is a "
        "mirrored or a difference spectrum",
        "reason",
        "poor",
    ),
    "echo_time_contradicted": Kind(
        "{names:and} did not evolve for the stated echo time of {stated_ms:g} ms ({ratio:beside "
        "{most} 1} sd, beyond {most:g}): some {fitting_ms:.0f} ms fit better; compare it with the "
        "protocol",
        "reason",
        "poor",
    ),
    "echo_time_doubtful": Kind(
        "{names:and} would have evolved for some {fitting_ms:.0f} ms rather than for the stated "
        "echo time of {stated_ms:g} ms ({ratio:.2g} sd, not beyond {most:g}): they are too weak to "
        "say; compare it with the protocol",
        "remark",
    ),
    "start_measured": Kind(
        "the first {n} points ({ms:.1f} ms) were taken to lie before the echo and left out: the "
        "file does not say so, but the fit is sound only without them",
        "reason",
        "acceptable",
    ),
    "delay_measured": Kind(
        "the first {n} points ({ms:.1f} ms) hold next to nothing and were left out: a receiver's "
        "filter delayed the signal, though the file does not say so",
        "reason",
        "acceptable",
    ),
    # ---- the sequence
    "sequence_assumed": Kind(
        "no sequence in the file: {assumed} is assumed for the evolution of coupled spins; give "
        "{subject} under [disc.acquisition] in study.toml",
        "problem",
    ),
    "evolution_unknown": Kind(
        "the evolution of coupled spins is not known for the sequence of this file ({sequence}): "
        'give {subject} = "PRESS" or what else it is ({known:list}) under [disc.acquisition] in '
        "study.toml, or a simulated basis in the model",
        "reason",
        "poor",
    ),
    "no_mixing_time": Kind(
        "the mixing time of the stimulated echo is not known, on which the lines of coupled spins "
        "depend: give {subject} under [disc.acquisition] in study.toml",
        "reason",
        "poor",
    ),
    "partner_unknown": Kind(
        "the evolution of {names:and} is not known for {sequence}: their model does not say where "
        "the neighbours lie (partner_ppm)",
        "reason",
        "poor",
    ),
    "pulse_unknown": Kind(
        "the table of sequences has no pulse of the shape {shape}, which {subject} names: its "
        "evolution is not known",
        "reason",
        "poor",
    ),
    "pulses_too_long": Kind(
        "{n} refocusing pulses of the given bandwidth last {pulses_ms:.1f} ms, longer than the "
        "echo time of {echo_ms:g} ms: the bandwidth or the echo time is wrong",
        "reason",
        "poor",
    ),
    "pulse_assumed": Kind(
        "the refocusing pulses are taken to be {shape} of {hz:g} Hz: {subject} and "
        "refocusing_bandwidth_hz under [disc.acquisition] in study.toml say what they were"
    ),
    "pulses_not_told": Kind(
        "the bandwidth of the refocusing pulses is not known: ideal pulses are assumed, though "
        "real ones can change lactate, alanine and propionate by tens of percent at 3 T; give "
        "{subject} under [disc.acquisition] in study.toml",
        "remark",
    ),
    "components_excluded": Kind(
        "not fitted, as the recipe excludes {names:verb it them}: {names:and}"
    ),
    "components_outside": Kind(
        "not told: {names:and}, no line of which lies between {low:.2f} and {high:.2f} ppm; what "
        "reaches in between counts as baseline"
    ),
    "quality_peak_replaced": Kind(
        "{was} is not among the fitted: SNR and linewidth are judged on {now}, in its place"
    ),
    "evolved_ideal": Kind(
        "coupled spins evolved as in {sequence} with {n} ideal refocusing pulses", "method"
    ),
    "evolved_real": Kind(
        "coupled spins evolved as in {sequence} with {n} refocusing pulses ({shape}, {hz:g} Hz, "
        "{ms:.2f} ms)",
        "method",
    ),
    "evolved_stimulated": Kind(
        "coupled spins evolved as in {sequence} with ideal pulses and a mixing time of {ms:g ms|"
        "any length, as their mean}; amounts refer to the half of the signal that a stimulated "
        "echo has, in the water reference too",
        "method",
    ),
    # ---- T2 from runs at several echo times
    "t2_measured": Kind(
        "T2 of {name} was measured in this disc, from {runs:and} at echo times of {echo_ms:and %g} "
        "ms: {t2_ms:.0f} ms (95 %: {low_ms:.0f} to {high_ms:.0f} ms), in place of {prior_ms:.0f} "
        "ms of the table; {gain}",
    ),
    "t2_not_measured": Kind(
        "T2 of {name} could not be measured from {runs:and} at echo times of {echo_ms:and %g} ms, "
        "and stays that of the table ({prior_ms:.0f} ms): {why}",
    ),
    "t2_gain_cancels": Kind("the gain of the receiver cancels against the water", "because"),
    "t2_gain_held": Kind(
        "one gain of the receiver is assumed, and the water of the runs agrees with it", "because"
    ),
    "t2_gain_assumed": Kind("one gain of the receiver is assumed for all runs", "because"),
    "t2_gain_differs": Kind(
        "the water of the runs falls by {rate_hz:.1f} a second where its T2 lets expect "
        "{expected_hz:.1f}: the gain of the receiver, or the place, differs between them",
        "because",
    ),
    "t2_runs_disagree": Kind(
        "the amplitudes do not lie on one exponential (p = {p:.1g})", "because"
    ),
    "t2_not_decaying": Kind("the amplitude does not fall with the echo time", "because"),
    "t2_less_certain": Kind(
        "its relative error of {log_sd:.2f} is not below that of the table, {prior:.2f}", "because"
    ),
    "t2_evolution_uncertain": Kind(
        "its multiplet changes with the echo time too, and the pulses are not known", "because"
    ),
    "bootstrapped": Kind(
        "the error of repetition is that of {n} of {of} repeats, each of {transients} transients "
        "drawn from those that were measured"
    ),
    "bootstrap_too_few": Kind(
        "no bootstrap of {n} transients: {least} or more are needed; the error of repetition is "
        "that of the formula",
        "problem",
    ),
    "bootstrap_failed": Kind(
        "no bootstrap: {n} of {of} repeats could not be fitted; the error of repetition is that of "
        "the formula",
        "problem",
    ),
    "shift_implausible": Kind(
        "all lines lie {ppm:+.2f} ppm from their places beside water, above {most:g} ppm: the "
        "water reference has another carrier frequency, or other lines were fitted",
        "reason",
        "poor",
    ),
    "shift_implausible_no_water": Kind(
        "all lines lie {ppm:+.2f} ppm from their places, above {most:g} ppm: the carrier is not "
        "where the file says, or other lines were fitted",
        "reason",
        "poor",
    ),
    "shift_large": Kind(
        "all lines lie {ppm:+.3f} ppm from their places beside water; good up to {good:g} ppm",
        "reason",
        "acceptable",
    ),
    # ---- verdict: water and lipid
    "residual_water_high": Kind(
        "residual water is {ratio:beside {most} 1} times the height of {subject}, above {most:g}",
        "reason",
        "poor",
    ),
    "residual_water_good": Kind("residual water {ratio:.1f} times {subject}", "passed"),
    "water_left_high": Kind(
        "water before its removal is {ratio:beside {most} 0} times the height of {subject}, above "
        "{most:g}: weakly suppressed",
        "reason",
        "acceptable",
    ),
    "swapped": Kind(
        "the water reference is {ratio:.2g} times as strong as the metabolite measurement: the two "
        "are swapped, or the reference is not one",
        "reason",
        "poor",
    ),
    "marrow_by_water": Kind(
        "lipid is {ratio:.2g} times the water: the voxel lies in marrow or fat", "reason", "poor"
    ),
    "marrow_by_peak": Kind(
        "lipid is {ratio:.0f} times {subject}: the voxel lies in marrow or fat", "reason", "poor"
    ),
    "unsuppressed_known": Kind(
        "measured without water suppression: water as high as {ratio:.2g} times its reference",
        "reason",
        "acceptable",
    ),
    "unsuppressed": Kind(
        "water is as high as {ratio:.2g} times its reference: not suppressed, or there is nothing "
        "else",
        "reason",
        "poor",
    ),
    "one_line": Kind(
        "one line holds {share:.0%} of the energy: water or fat alone", "reason", "poor"
    ),
    "unsuppressed_peak_known": Kind(
        "measured without water suppression: {ratio:.0f} times the peak", "reason", "acceptable"
    ),
    "unsuppressed_peak": Kind(
        "water was not suppressed: {ratio:.0f} times {subject}", "reason", "poor"
    ),
    "foreign_found": Kind(
        "{subject} is in the spectrum, by {ratio:.1f} sd: it counts to the baseline, not to what "
        "the disc holds",
        "remark",
    ),
    "lipid_beside": Kind(
        "lipid comes out {sd:.1f} times its error below zero: marrow lipid lies beside the place "
        "that the model has for it, and is taken for lactate",
        "reason",
        "poor",
    ),
    "lipid_on_lactate": Kind(
        "lactate contaminated by lipid: its CH2 is {ratio:beside {most} 1} times LAC + ALA, above "
        "{most:g}",
        "reason",
        "acceptable",
    ),
    "lipid_displaced": Kind(
        "voxels of lipid and water lie {share:.0%} of the voxel apart in each refocused direction",
        "remark",
    ),
    "lipid_displaced_mm": Kind(
        "voxels of lipid and water lie {share:.0%} of the voxel apart in each refocused direction "
        "({mm:.1f} mm in the thinnest)",
        "remark",
    ),
    "pg_displaced": Kind(
        "voxels of PG and water lie {share:.0%} of the voxel apart in each refocused direction "
        "where one carrier measured both: so much of the tissue is not the same",
        "remark",
    ),
    "pg_displaced_mm": Kind(
        "voxels of PG and water lie {share:.0%} of the voxel apart in each refocused direction "
        "({mm:.1f} mm in the thinnest) where one carrier measured both: so much of the tissue is "
        "not the same",
        "remark",
    ),
    "water_of_others": Kind(
        "bone marrow ({bone:.0f} % of the voxel) and fat or fluid ({fat:.0f} %) hold water too: "
        "per kg of the disc's own water the amounts are {least:.2f} to {most:.2f} times those "
        "given",
        "remark",
    ),
    # ---- verdict: transients
    "many_rejected": Kind(
        "{n} of {of} transients rejected; at least {least:.0%} have to stay", "reason", "poor"
    ),
    "few_rejected": Kind("{n} of {of} transients rejected", "passed"),
    "drift_large": Kind(
        "drift of {hz:beside {most} 1} Hz, above {most:g} Hz", "reason", "acceptable"
    ),
    "drift_good": Kind("drift {hz:.1f} Hz", "passed"),
    "sidebands_removed": Kind(
        "residual water has sidebands at {hz:and %.0f Hz} on either side, of up to {share:.1%} of "
        "it: measured downfield, where they lie alone, and subtracted on both sides",
        "reason",
        "acceptable",
    ),
    "phase_cycled": Kind(
        "an unwanted signal steps with the phase cycle, every {n} transients: frequency and phase "
        "were found for whole cycles alone",
        "reason",
        "acceptable",
    ),
    "all_passed": Kind("within all limits of quality: {gates:list}", "reason"),
    # ---- score: why there is none
    "poor_spectrum": Kind("poor spectrum: {why}", "reason"),
    "not_fitted": Kind("model {model} needs {names:list}, which was not fitted", "reason"),
    "echo_time_outside": Kind(
        "model {model} was made for echo times of {low_ms:g} to {high_ms:g} ms, not "
        "{came_ms:g ms|unknown}",
        "reason",
    ),
    "field_outside": Kind(
        "model {model} was made for {fields:and %g T}, not {came:.2f T|an unknown field}", "reason"
    ),
    "sums_not_measured": Kind("acidity or structure was not measured", "reason"),
    "sums_not_finite": Kind("acidity or structure is not a finite number", "reason"),
    "structure_not_measurable": Kind(
        "structure not measurable: {ratio:.1f} sd, {least:g} are needed", "reason"
    ),
    "acidity_negative": Kind(
        "acidity lies {ratio:.1f} sd below zero, which noise does not explain: baseline or lipid "
        "is misjudged",
        "reason",
    ),
    "no_quantities": Kind("no quantities", "reason"),
    "no_quantity": Kind("{subject} could not be had: {why}", "reason"),
    "no_logarithm": Kind("{subject} is an upper limit; its logarithm is not known", "reason"),
    "no_error": Kind("{subject} is an upper limit and has no error to average over", "reason"),
    "only_a_limit": Kind("{subject} is only an upper limit", "reason"),
    # ---- score: what it follows from
    "ratio": Kind(
        "{subject} = {value:.2f} ± {sd:.2f} (the model's discs: {means:each %s %.2f})", "reason"
    ),
    "ratio_below": Kind(
        "acid is less than twice its error: {subject} below {upper:.2f} (the model's discs: "
        "{means:each %s %.2f})",
        "reason",
    ),
    "judged_alone": Kind(
        "probability {probability:probability}; no other disc of the patient was usable", "reason"
    ),
    "judged_beside": Kind(
        "likelihood ratio {alone:ratio} for this disc alone, {ratio:ratio} beside "
        "{where} (common offset of this patient's discs {offset:+.2f} ± {offset_sd:.2f})",
        "reason",
    ),
    "evidence_for": Kind(
        "likelihood ratio {ratio:ratio}: {strength} towards a painful disc", "reason"
    ),
    "evidence_against": Kind(
        "likelihood ratio {ratio:ratio}: {strength} away from a painful disc", "reason"
    ),
    "held_by_prevalence": Kind(
        "likelihood ratio {ratio:ratio}, yet at the assumed prevalence of {prevalence:.0%} the "
        "probability is {value:probability}, on the other side of one half",
        "reason",
    ),
    "held_by_interval": Kind(
        "likelihood ratio {ratio:ratio}, yet its interval, {low:ratio} to {high:ratio}, reaches "
        "from one label to the other",
        "reason",
    ),
    "held_by_patient": Kind(
        "likelihood ratio {ratio:ratio}, yet the discs together fit a prevalence of {high:.0%} as "
        "well, where the probability is {value:probability}",
        "reason",
    ),
    "label_would_change": Kind(
        "another value with the same error would be: {where:clauses}", "reason"
    ),
    "likely_from": Kind("likely painful from {at:.2f} on", "because"),
    "likely_until": Kind("likely painful no longer below {at:.2f}", "because"),
    "never_likely": Kind("no acidity would make it likely painful at this noise", "because"),
    "unlikely_to": Kind("unlikely painful up to {at:.2f}", "because"),
    "unlikely_until": Kind("unlikely painful no longer above {at:.2f}", "because"),
    "never_unlikely": Kind("no acidity would make it unlikely painful at this noise", "because"),
    "more_transients": Kind(
        "{times:.2g} times as many transients ({n:.0f|an unknown number}, {minutes:.1f min|time "
        "not known}) would make it {label}, were the amounts as measured",
        "reason",
    ),
    "transients_do_not_help": Kind(
        "{most:.0f} times as many transients would not label it either, were the amounts as "
        "measured",
        "reason",
    ),
    "prevalence_assumed": Kind(
        "the probability assumes that {prevalence:.0%} of such discs are painful; it would be "
        "{others:list}",
        "reason",
    ),
    "prevalence": Kind("assumes that {prevalence:.0%} of such discs are painful", "reason"),
    "at_prevalence": Kind("{probability:probability} at {prevalence:.0%}", "because"),
    "unlike_assumed": Kind(
        "this patient's discs together fit a prevalence of {high:.0%} better than the assumed "
        "{prevalence:.0%} ({ratio:.1f} times as likely); at {high:.0%} the probability would be "
        "{probability:probability}",
        "reason",
    ),
    "logit": Kind(
        "{quantities:each %s = %.3g}: logit {logit:.2f} ± {sd:.2f}, probability "
        "{probability:probability}",
        "reason",
    ),
    "cutoff": Kind("{subject} = {value:.3g} ± {sd:.2g}, positive {side} {limit:g}", "reason"),
    "rule_met": Kind(
        "the rule is met with probability {probability:probability} over the measurement error: "
        "so sure is the measurement, that is no probability of pain",
        "reason",
    ),
    "degeneration": Kind(
        "{subject} = {value:.2f} ± {sd:.2f}: probability of degeneration (Pfirrmann III or more) "
        "{probability:probability}",
        "reason",
    ),
    "not_about_pain": Kind("the structure index says nothing about pain", "reason"),
    # ---- score: what to know of the model
    "lipid_in_error": Kind(
        "lactate may be contaminated by lipid: its wider error is in the interval", "remark"
    ),
    "exploratory_field": Kind(
        "exploratory at {field_t:.1f} T: no published validation was found", "remark"
    ),
    "exploratory_region": Kind(
        "the score was made for {regions:and} discs, not for {region} ones", "remark"
    ),
    "runs_combined": Kind("{n} runs of this disc were taken together", "remark"),
    "runs_of_other_protocols": Kind(
        "{n:.0f} more of this disc measured at another echo time, repetition time or field: not "
        "taken together with this run",
        "remark",
    ),
    "runs_disagree": Kind(
        "{n} runs of this disc lie further apart than their errors allow (chi-square "
        "{chi_square:.0f}): not taken together, the best run counts",
        "remark",
    ),
    "propionate_found": Kind(
        "propionate detected: {subject} {value:.2f} ± {sd:.2f}, likelihood ratio of present "
        "against absent {ratio:ratio}",
        "remark",
    ),
    "propionate_open": Kind(
        "propionate neither detected nor excluded: {subject} {value:.2f} ± {sd:.2f}, likelihood "
        "ratio of present against absent {ratio:ratio}",
        "remark",
    ),
    "propionate_absent": Kind(
        "no propionate found: {subject} {value:.2f} ± {sd:.2f}, likelihood ratio of present "
        "against absent {ratio:ratio}",
        "remark",
    ),
    "outside_refused": Kind("{why}; the recipe gives no score there (out_of_scope)", "reason"),
    "repetition_time_outside": Kind(
        "repetition time {came_s:g} s lies outside {low_s:g} to {high_s:g} s, for which the model "
        "was made",
        "remark",
    ),
    "not_validated": Kind("model not validated; trained on: {data}", "remark"),
}
