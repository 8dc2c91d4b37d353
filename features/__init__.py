"""Features, labels and the proof that they do not look ahead: frames in, frames out, no I/O and no clock."""
