import { offer, type StreamFunction } from "../../scheduler/index.ts"
import type { AsStream } from "../decodeCall.ts"
import { InvalidCall, shown } from "../errors.ts"
import type { SubStream } from "../GraphParts.ts"
import { whenSettled } from "../wrapFunction.ts"
import { checkPart, newPartInput } from "./PartInput.ts"

/**
 * Calls the function that makes the stream of a branch or of each partition. It is called once, when the call is made,
 * and gets a stream that stands for what the branch or partition will be given.
 *
 * **Fails** by throwing `InvalidCall` where it gives no stream, or one that can't stand there.
 */
export const makePart = (
  {
    capability,
    fn,
    name,
    option
  }: { readonly capability: string; readonly option: string; readonly name: string; readonly fn: StreamFunction },
  asStream: AsStream
): SubStream | PromiseLike<SubStream> => {
  const entry = newPartInput()
  return whenSettled(offer(fn, entry), (made) => {
    const stream = typeof made === "object" && made !== null ? asStream(made) : undefined
    if (stream === undefined) {
      throw new InvalidCall(
        capability,
        `expects :${option} to give a stream made from the one that it receives, but it gave ${shown(made)}.`,
        option
      )
    }
    checkPart(capability, option, entry, stream)
    return { name, entry, stream }
  })
}

/** All of them, as one promise if any is one. */
export const allSettled = <A>(values: ReadonlyArray<A | PromiseLike<A>>): ReadonlyArray<A> | PromiseLike<ReadonlyArray<A>> =>
  values.some((value) => typeof (value as PromiseLike<A> | undefined)?.then === "function")
    ? Promise.all(values)
    : (values as ReadonlyArray<A>)
