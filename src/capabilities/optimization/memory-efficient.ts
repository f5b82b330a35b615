import type { StreamFunction } from "../../scheduler/index.ts"
import { defineCapability } from "../Capability.ts"
import { InvalidCall } from "../errors.ts"
import { byteSize, defaulted, flag, fn, optional, required, text } from "../Option.ts"
import type { StreamValue } from "../StreamValue.ts"

const id = "stream.memory-efficient"

/** Less leaves no room for two frames in each mailbox and the buffers of spill files. */
const leastMemory = 4 * 1024 * 1024

/** How a `memory-efficient` keeps what is before it within its memory. */
export interface MemoryOptions {
  readonly maxBytes: number
  readonly spills: boolean
  readonly tempDir: string | undefined
  readonly maxDisk: number
  readonly onSpill: StreamFunction | undefined
}

export const memoryEfficient = defineCapability({
  id,
  summary: "Keeps what the stream before it holds within :max-memory; what is beyond waits, or goes to disk for a while.",
  spec: "§8 Memory Management",
  kind: "operator",
  options: {
    "max-memory": required(
      byteSize,
      "what the mailboxes up to this call may hold together, and the states before it where their bounds are known; at least 4 MB"
    ),
    "spill-to-disk": defaulted(flag, false, "whether what is beyond goes to disk and comes back in order; without it the sources wait"),
    "temp-dir": optional(
      text,
      "a folder for the files, which the host must allow to write; by default the host's data directory, or its own temporary folder"
    ),
    "max-disk": defaulted(byteSize, 1024 ** 3, "how much disk it may take; beyond that the sources wait"),
    "on-spill": optional(fn, "called when items begin to go to disk, and again only after all had come back")
  },
  order: "Kept, across memory and disk.",
  delivery:
    "Nothing is dropped. What lies on disk is gone with the process, as what lies in memory is: after a crash checkpoints help, not these files.",
  backpressure:
    "Within its memory, and with :spill-to-disk within :max-disk, the sources do not notice a slow consumer; beyond that they wait.",
  notes: [
    "Bytes are those of the items as msgpack, which is what mailboxes hold. Of two bounds the smaller counts: a host gives a stream an eighth of its `memory`. A single item that is larger than all that passes alone.",
    "The items that are to be read last go to disk first. Files are in a folder of this stream alone, for their owner only; they are removed when the stream ends, however it ends, and what a killed process left is removed when the next one spills there.",
    "A full or failing disk makes the sources wait, and is told in the host's log; what can't be read back makes the stream fail. Nothing is lost in either case while the process lives."
  ],
  check: (options) =>
    options["max-memory"] < leastMemory
      ? `needs a :max-memory of at least 4 MB, but got ${options["max-memory"]} bytes.`
      : options["spill-to-disk"]
        ? undefined
        : options["temp-dir"] !== undefined || options["on-spill"] !== undefined
          ? "has :temp-dir or :on-spill, which mean nothing without :spill-to-disk true."
          : undefined,
  touches: ({ "temp-dir": path }) => (path === undefined ? [] : [{ effect: ":fs.write", path }]),
  boundary: () => "bounds the memory of what is before it",
  example: `(call :stream.await
  (call :stream.to-collection
    {:source (call :stream.memory-efficient [1 2 3] {:max-memory "64MB" :spill-to-disk true})}))`,
  node: () => ({ kind: "stage", capability: id, bound: { kind: "none" } })
})

/** What a stream value says about memory, if it is about that. */
export const memoryOf = ({ capability, options }: StreamValue): MemoryOptions | undefined =>
  capability.id !== id
    ? undefined
    : {
        maxBytes: options["max-memory"] as number,
        spills: options["spill-to-disk"] as boolean,
        tempDir: options["temp-dir"] as string | undefined,
        maxDisk: options["max-disk"] as number,
        onSpill: options["on-spill"] as StreamFunction | undefined
      }

/** More is needed than was given: many mailboxes, or states with large bounds. */
export const tooLittleMemory = (needed: number, given: number): InvalidCall =>
  new InvalidCall(
    id,
    `has a :max-memory of ${given} bytes, but the mailboxes and states before it need ${needed} at least: give it more, or bound the states before it.`,
    "max-memory"
  )
