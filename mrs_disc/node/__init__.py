"""A node: what a scanner sends is analysed, and the report goes back under the same study.

- `config`: one TOML file
- `places`: the folders of a node
- `spool`: what arrived, by study, whole or not at all
- `scp`: the DICOM storage service, `watch`: a folder in its place
- `ledger`: the state of every study, on disk
- `engine`: from received to sent; `work` is what its workers do
- `remote`: C-STORE, STOW-RS, C-FIND, C-GET, QIDO-RS and WADO-RS
- `deliver`: sending with retries, and dead letters
- `health`, `log`: what a site's own watch sees

Decision: what was received is what lies in the spool, and nothing else is a source of truth. A
state is a small file that is written anew at each step; killed at any moment, the node finds by
the spool what has to be done, and does it again. All steps can be done twice: an object has one
name, an unchanged study is not analysed anew, a report keeps its identifiers.
"""
