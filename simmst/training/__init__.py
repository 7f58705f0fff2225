"""Losses, dynamic loss weights, checkpoints and the trainer."""
