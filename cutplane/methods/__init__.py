"""One way each to move on a fixed polyhedron."""
