import type { CallContext } from "../Capability.ts"
import { HandleMisuse } from "../errors.ts"
import type { StreamFunction } from "../../scheduler/index.ts"
import type { Receipt } from "./Inlet.ts"
import { inletOf } from "./opening.ts"

/**
 * Sends items of a stream into a sink, one after the other, and waits until each is taken in.
 *
 * **Fails** with what the sink has failed with, with a schema error, or with `HandleMisuse` once it was closed.
 */
export const sendingTo = (call: string, sink: unknown, context: CallContext): StreamFunction => {
  const { handle, inlet } = inletOf(call, sink)
  // Whoever sends learns of the failure.
  const learn = () =>
    void handle
      .streamOf("inlet")
      .awaitResult()
      .catch(() => {})
  const check = (receipt: Receipt): null => {
    if (receipt.status === "queued" || receipt.status === "acked") return null
    learn()
    if (receipt.status === "error") throw receipt.error
    throw new HandleMisuse(`:${call} can't send to ${handle.label}: it was closed. Close it after the stream that sends to it has ended.`)
  }
  return (item: unknown) => {
    const [problem] = handle.offer.checkInput?.(item) ?? []
    if (problem !== undefined) {
      throw Object.assign(new Error(`The item does not satisfy the input schema of ${handle.offer.id}: ${problem.message}.`), {
        type: "schema-error",
        data: { path: problem.path }
      })
    }
    const sent = inlet.send([item], false)
    return "status" in sent ? check(sent) : context.perform(sent.waiter.within(Infinity, sent.late)).then(check)
  }
}
