"""From stored runs to figures: frames in, frames and pictures out. Nothing here trains."""
