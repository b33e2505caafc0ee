"""Who said what about which clip. Needs no TensorFlow."""
