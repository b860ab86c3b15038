"""The application: knows everything, and wires it."""
