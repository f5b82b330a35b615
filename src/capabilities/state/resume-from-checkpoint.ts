import type { StreamFunction } from "../../scheduler/index.ts"
import { type ControlCapability, defineControl, type ResumeRequest } from "../Capability.ts"
import { decodeControlOptions } from "../decodeCall.ts"
import { choice, count, defaulted, fn, optional, required, text } from "../Option.ts"

export const resumeFromCheckpoint: ControlCapability = defineControl({
  id: "stream.resume-from-checkpoint",
  summary: "Starts a stream again where a checkpoint was taken, also in another process, and gives its handle.",
  spec: "§6 Checkpointing and Recovery",
  arguments: ["options"],
  options: {
    "stream-id": required(text, "the name that `stream.with-checkpointing` gave the stream"),
    "checkpoint-id": optional(count, "which of its checkpoints; by default the last one"),
    "checkpoint-store": defaulted(choice("embedded", "memory", "redis", "postgres"), "embedded", "where it is kept, as `stream.with-checkpointing` has it"),
    "on-resumed": optional(fn, "called once the stream has its state back, before its first item")
  },
  notes: [
    "The stream is made again from what is kept beside its checkpoints: functions of RTFS from their text and the values that they had captured, functions of the host by the names under which this host binds them. A function without a name exists in its own process only: the call is refused and names the node, unless the program has defined a stream with the same `:stream-id` before, which then gives that function.",
    "What the stream touches is checked against the policy of the host that resumes it. A stream that runs already answers with its handle; one that runs in another process is refused. One that had ended gives its result again."
  ],
  example:
    '(do (call :stream.await (call :stream.reduce (call :stream.with-checkpointing [1 2 3] {:stream-id "seen"}) {:initial 0 :reducer + :on-result (fn [sum] sum)})) (call :stream.await (call :stream.resume-from-checkpoint {:stream-id "seen"})))',
  perform: ([map], context) => {
    const options = decodeControlOptions(resumeFromCheckpoint, map)
    return context.resume({
      streamId: options["stream-id"] as string,
      checkpointId: options["checkpoint-id"] as number | undefined,
      store: options["checkpoint-store"] as ResumeRequest["store"],
      onResumed: options["on-resumed"] as StreamFunction | undefined
    })
  }
})
