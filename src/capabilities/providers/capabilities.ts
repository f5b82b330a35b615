import type { ControlCapability } from "../Capability.ts"
import { registerCallbacks } from "./callbacks.ts"
import { abort, close } from "./closing.ts"
import { ack, detach, nack, next } from "./next.ts"
import { discover, register, unregister } from "./register.ts"
import { openSink, send } from "./sinks.ts"
import { start } from "./start.ts"

/** What programs do with streams that are registered under ids. */
export const providerCapabilities: ReadonlyArray<ControlCapability> = [
  register,
  unregister,
  discover,
  start,
  next,
  ack,
  nack,
  detach,
  registerCallbacks,
  openSink,
  send,
  close,
  abort
]
