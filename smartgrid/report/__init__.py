"""The report of a set of days: JSON for programs, a page for people, a table for the terminal."""
