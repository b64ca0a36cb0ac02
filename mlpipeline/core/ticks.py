"""How far apart two changes of a file must be so that its mtime tells them apart."""

RECENT = 2_000_000_000  # ns; the coarsest clock of a file system (FAT) has this tick
