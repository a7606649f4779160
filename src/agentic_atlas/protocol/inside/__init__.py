"""What router and backend say to each other: a closed union each way, and its codec.

Neither ever asks the other for a value: what one has to know of the other it was told. In one process the messages are
passed as they are; where the two are apart, the codec carries them.
"""
