"""Pictures and the Qt widgets that show them. Knows no array backend."""
