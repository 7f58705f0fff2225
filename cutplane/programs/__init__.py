"""Programmes over arrays, which know of no planes: least distance, linear, one row; and the one door to HiGHS."""
