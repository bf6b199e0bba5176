"""Words that people say, for what the course calls otherwise."""

# What people say -> what the course says: either is searched for.
SYNONYMS = {
    "backpropagation": "backprop gradient",
    "bn": "batch normalization",
    "checkpoint": "save weights",
    "cnn": "convolution",
    "cuda": "device",
    "data augmentation": "augmentation",
    "early stopping": "callback",
    "earlystopping": "callback",
    "fine tuning": "transfer",
    "freeze": "trainable",
    "gpu": "device",
    "learning rate": "schedule optimizer",
    "mixed precision": "precision autocast",
    "multi-head attention": "attention",
    "multiheadattention": "attention",
    "no_grad": "inference_mode predict",
    "object detection": "detection boxes",
    "reducelronplateau": "schedule",
    "residual": "shortcut resnet",
    "rnn": "recurrent lstm",
    "self attention": "attention",
    "skip connection": "shortcut residual resnet",
    "upsampling": "transpose resize",
    "weight decay": "regularizer",
}
