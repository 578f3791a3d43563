"""Load: how many queries arrive, how long they are, and when that has drifted."""
