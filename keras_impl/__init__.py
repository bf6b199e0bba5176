"""Every twin in Keras 3, on whichever backend the process was started with."""
