"""What Java archives are called and how they begin."""

MUST_BE_ARCHIVES = (".jar", ".war", ".ear", ".hpi", ".jpi")
MAY_BE_ARCHIVES = (".par", ".sar", ".nar", ".kar", ".far", ".rar", ".lpkg", ".zap")
"""MIDI files, Nix archives, RAR and others have some of these names, too."""
SUFFIXES = MUST_BE_ARCHIVES + MAY_BE_ARCHIVES
ZIP_MAGICS = (b"PK\3\4", b"PK\5\6")
