/** How a spilling edge divides the memory it was given, in bytes. */
export interface SpillMemory {
  /** For the frames that are to be read next. */
  readonly ring: number
  /** For frames on their way to the log. */
  readonly incoming: number
  /** For one of the two buffers of the log. */
  readonly logBuffer: number
  /** What the log takes in all: its buffers, and what is read ahead. */
  readonly log: number
}

/** Below this, what the log needs would leave too little for frames. */
export const leastSpillBytes = 1024 * 1024

/** What is read ahead from a log; the log's own constant. */
const readAheadBytes = 256 * 1024

/** Divides the memory of an edge: at most a quarter, and 2 MiB, for the two buffers of its log. */
export const memoryFor = (maxBytes: number): SpillMemory => {
  const logBuffer = Math.min(1024 * 1024, Math.floor(maxBytes / 8))
  const log = readAheadBytes + 2 * logBuffer
  const incoming = Math.floor(maxBytes / 16)
  return { ring: maxBytes - log - incoming, incoming, logBuffer, log }
}
