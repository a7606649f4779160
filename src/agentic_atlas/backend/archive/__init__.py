"""Backups: one file that holds a whole network, and putting one in place of a data folder. Knows no database."""
