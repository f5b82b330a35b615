/** How deep values may nest, written and read. Deeper ones are bombs, cycles or mistakes. */
export const maxDepth = 512

/** The longest big integer that is written and read: about 315,000 decimal digits. */
export const maxIntegerBytes = 128 * 1024

/**
 * How many bytes one item may take before more of it is written. A value that uses a part of itself in many places
 * takes far more as bytes than it does in memory, and would stop the thread and then the process.
 */
export const maxItemBytes = 64 * 1024 * 1024

/** How many parts (elements, entries, texts, numbers) a value may have to be a key, for the same reason. */
export const maxKeyParts = 1_000_000
