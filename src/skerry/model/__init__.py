"""The frozen model: what the cloud folder says, after it was found valid. No I/O."""
