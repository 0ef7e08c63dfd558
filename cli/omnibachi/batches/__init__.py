"""Many payloads through one workflow, by several processes, into one record file and one summary.

A batch is cut into chunks of lines, the same ones each time that it is begun. A worker writes the records of a chunk
aside and then its ends, so that a chunk is there whole or not at all; what a killed batch has left is found and passed
over. A run's trace id follows from the batch and the line, so the journal answers for a run that was done already, and
one that was cut off is resumed. In the end the chunks' records are laid one after the other, in the order of the lines.
"""
