#!/usr/bin/env bash
# Library    safetensors 0.8.0 (safetensors.torch.save), torch 2.13.0
# Input      one tensor and two entries of metadata, saved forty times in one process
# Guess      A format that is made for reproducible weights writes the same bytes for the same content; dictionaries of
#            Python keep their order, and so would the header
# Behaviour  The entries of the metadata stand in a random order, another one from call to call: two different files come
#            out. With one entry all are alike, and the tensors' order never changes
# Why it surprises
#            Whoever compares two trainings, or two halves of a resumed one, by the hash of their files is told now and
#            then that they differ, though every number is the same.
# Output seen
#            one entry: 1 file; two entries: 2 files
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from safetensors.torch import save

one = {save({"a": torch.zeros(1)}, metadata={"note": "1"}) for _ in range(40)}
two = {save({"a": torch.zeros(1)}, metadata={"note": "1", "digest": "2"}) for _ in range(40)}
print(f"one entry: {len(one)} file; two entries: {len(two)} files")
assert len(one) == 1
if len(two) == 1:
    sys.exit("changed: two entries are written in one order")
PYTHON
