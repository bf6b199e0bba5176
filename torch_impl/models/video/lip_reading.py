"""Lip reading: convolution over space and time sees the mouth move, recurrence reads, and CTC writes the sentence.

Assael, Shillingford, Whiteson and de Freitas, "LipNet: end-to-end sentence-level lipreading" (2016), section 4 and
table 3. Three spatiotemporal convolutions keep every frame and make each smaller; two bidirectional GRUs read what is
left of the frames, one after the other; a dense layer says at each frame which letter it shows, or none. The loss is
that of CTC, as in CRNN: nobody has to say when a letter was spoken. On clips of 75 frames of 50x100 with `width` 32
and `hidden_size` 256 this is the paper's network for 26 letters, the space and the blank.

Departures: batch normalization after each convolution, without which so small a network writes nothing but blanks for
most of its training; dropout strikes single values, where the authors' code strikes whole feature maps; the reading is
greedy, without a language model.

Slides: deck E, the lip reading model among the components of deep learning: convolution, recurrence, dense layer.
"""

import torch
from torch import nn

from torch_impl.models.video.conv3d import max_pool
from torch_impl.models.video.crnn import ctc_loss
from twin.shapes import check_clips


class LipNet(nn.Module):
    """Three spatiotemporal convolutions, two bidirectional GRUs, a dense layer, and the loss of CTC.

    Args:
        clip_shape: frames, height, width and channels; height and width of at least 15.
        width: filters of the first convolution; the others have twice and three times as many.
        hidden_size: width of each direction's state.
        dropout: dropout rate after each convolution.
        num_classes: letters, the space, and the blank, which is class 0.
    """

    def __init__(self, clip_shape, width, hidden_size, dropout, num_classes):
        check_clips(clip_shape, num_classes, smallest=15)
        super().__init__()
        _, rows, columns, channels = clip_shape  # differs: torch's layers ask for their inputs' sizes
        left = ((rows + 1) // 16) * ((columns + 1) // 16)  # differs: for the first GRU
        self.conv1 = nn.Conv3d(channels, width, kernel_size=(3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), bias=False)
        self.bn1 = nn.BatchNorm3d(width, eps=1e-5, momentum=0.1)
        self.conv2 = nn.Conv3d(width, 2 * width, kernel_size=(3, 5, 5), padding=(1, 2, 2), bias=False)
        self.bn2 = nn.BatchNorm3d(2 * width, eps=1e-5, momentum=0.1)
        self.conv3 = nn.Conv3d(2 * width, 3 * width, kernel_size=3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm3d(3 * width, eps=1e-5, momentum=0.1)
        self.dropout = nn.Dropout(dropout)
        self.gru1 = nn.GRU(3 * width * left, hidden_size, batch_first=True, bidirectional=True)
        self.gru2 = nn.GRU(2 * hidden_size, hidden_size, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(2 * hidden_size, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)  # differs: it is what Keras does by itself

    def forward(self, x):  # differs: the mode is the model's own, set by train() and eval()
        """(B, C, T, H, W) clips to (B, T, num_classes) logits."""
        x = torch.relu(self.bn1(self.conv1(x)))  # (B, width, T, H / 2, W / 2)
        x = max_pool(self.dropout(x), frames=1, round_up=False)  # (B, width, T, H / 4, W / 4)

        x = torch.relu(self.bn2(self.conv2(x)))
        x = max_pool(self.dropout(x), frames=1, round_up=False)  # (B, 2 width, T, H / 8, W / 8)

        x = torch.relu(self.bn3(self.conv3(x)))
        x = max_pool(self.dropout(x), frames=1, round_up=False)  # (B, 3 width, T, H / 16, W / 16)

        x = x.permute(0, 2, 3, 4, 1).flatten(2)  # (B, T, D), channels last as in Keras
        x, _ = self.gru1(x)  # (B, T, 2 hidden_size)
        x, _ = self.gru2(x)
        return self.dense(x)

    def compute_loss(self, x, y, y_pred):  # differs: this loop passes less
        """CTC's loss; mean over the batch."""
        return ctc_loss(y, y_pred)
