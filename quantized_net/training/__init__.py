"""What the training scripts share: options, devices, snapshots, the run."""
