"""A stand-in for an Android phone: `adbd` speaks to the real `adb`, and `phone` is behind it."""
