"""An experiment from its launch to its last judgement."""
