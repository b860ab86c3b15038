"""SCENES: what is drawn of a pair of traces at a tick; one pure function a file."""
