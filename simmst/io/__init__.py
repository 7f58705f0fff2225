"""The disk and the machine: whole files, locks, npz, processes, versions."""
