"""CRNN: convolutions see, recurrence reads, and CTC writes down a string without being told where its characters are.

Shi, Bai and Yao, "An end-to-end trainable neural network for image-based sequence recognition and its application to
scene text recognition" (2015), figure 1 and table 1. Seven convolutions turn a line of text into a row of columns,
one after the other from left to right; two bidirectional LSTMs read the columns as if they were steps in time and say
at each which character it shows, or none. Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal
classification" (2006), section 3: a string is read off by merging equal neighbours and dropping the blanks, and the
loss is -log of the probability of all paths that read as the right string, so that no label has to be aligned with a
column.

`width` 64 and `hidden_size` 256 give the paper's network, whose 8.3 million parameters tell that a dense layer of 256
stands between the LSTMs, as in much public code: without it there would be 8.7 million. Departures: Adam; the reading
is greedy, the best path.

Slides: deck E, figure 1 of the paper, under video. What it reads is one still picture; its frames are columns of the
feature map, and it predicts distributions over labels, not the next picture. "RCNN style" there is CNN and RNN;
elsewhere R-CNN means regions.
"""

import torch
from torch import nn
from torch.nn import functional as F

from twin.shapes import check_text_line


class CRNN(nn.Module):
    """Seven convolutions, two bidirectional LSTMs with dense layers, and the loss of CTC.

    Args:
        image_shape: height, width and channels; the height is 32.
        width: filters of the first convolution; the others have two, four and eight times as many.
        hidden_size: width of each direction's output and cell state.
        num_classes: characters, and the blank, which is class 0.
    """

    def __init__(self, image_shape, width, hidden_size, num_classes):
        check_text_line(image_shape, num_classes)
        super().__init__()
        self.conv1 = nn.Conv2d(image_shape[-1], width, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width, eps=1e-5, momentum=0.1)
        self.conv2 = nn.Conv2d(width, 2 * width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(2 * width, eps=1e-5, momentum=0.1)
        self.pool = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, kernel_size=3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width, eps=1e-5, momentum=0.1)
        self.conv4 = nn.Conv2d(4 * width, 4 * width, kernel_size=3, padding=1, bias=False)
        self.bn4 = nn.BatchNorm2d(4 * width, eps=1e-5, momentum=0.1)
        self.flat_pool = nn.MaxPool2d((2, 1))
        self.conv5 = nn.Conv2d(4 * width, 8 * width, kernel_size=3, padding=1, bias=False)
        self.bn5 = nn.BatchNorm2d(8 * width, eps=1e-5, momentum=0.1)
        self.conv6 = nn.Conv2d(8 * width, 8 * width, kernel_size=3, padding=1, bias=False)
        self.bn6 = nn.BatchNorm2d(8 * width, eps=1e-5, momentum=0.1)
        self.conv7 = nn.Conv2d(8 * width, 8 * width, kernel_size=2, bias=False)
        self.bn7 = nn.BatchNorm2d(8 * width, eps=1e-5, momentum=0.1)
        self.lstm1 = nn.LSTM(8 * width, hidden_size, batch_first=True, bidirectional=True)
        self.dense1 = nn.Linear(2 * hidden_size, hidden_size)
        self.lstm2 = nn.LSTM(hidden_size, hidden_size, batch_first=True, bidirectional=True)
        self.dense2 = nn.Linear(2 * hidden_size, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, H, W) images to (B, T, num_classes) logits, where T is W / 4 - 1."""
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))  # (B, width, 16, W / 2)
        x = self.pool(torch.relu(self.bn2(self.conv2(x))))  # (B, 2 width, 8, W / 4)

        x = torch.relu(self.bn3(self.conv3(x)))
        x = self.flat_pool(torch.relu(self.bn4(self.conv4(x))))  # (B, 4 width, 4, W / 4)

        x = torch.relu(self.bn5(self.conv5(x)))
        x = torch.relu(self.bn6(self.conv6(x)))
        x = torch.relu(self.bn7(self.conv7(self.flat_pool(x))))  # (B, 8 width, 1, T)

        x = x.squeeze(2).transpose(1, 2)  # (B, T, 8 width): one column is one step
        x = self.dense1(self.lstm1(x)[0])  # (B, T, hidden_size)
        return self.dense2(self.lstm2(x)[0])

    def compute_loss(self, x, y, y_pred):  # differs: this loop passes less
        """CTC's loss; mean over the batch."""
        return ctc_loss(y, y_pred)


def ctc_loss(y, logits):
    """(B, S) classes, 0 behind their ends, and (B, T, classes) logits to a scalar, the mean over the batch."""
    log_shares = F.log_softmax(logits, dim=-1).transpose(0, 1)  # differs: torch's takes (T, B, classes), normalized
    steps = torch.full_like(y[:, 0], len(log_shares))  # differs: Keras counts the steps
    lengths = torch.sum(y != 0, dim=1)  # differs: Keras counts the labels
    return torch.mean(F.ctc_loss(log_shares, y, steps, lengths, reduction="none"))  # differs: "mean" divides by lengths
