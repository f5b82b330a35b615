import type { ControlCapability } from "../Capability.ts"
import { registerCallbacks } from "./callbacks.ts"
import { circuitBreaker, circuitBreakerCall } from "./circuit-breaker.ts"
import { abort, close } from "./closing.ts"
import { interact, openBidirectional, openDuplex } from "./duplex.ts"
import { execute } from "./execute.ts"
import { ack, detach, nack, next } from "./next.ts"
import { profile } from "./profile.ts"
import { discover, register, unregister } from "./register.ts"
import { demultiplex, multiplex } from "./routing.ts"
import { openSink, send } from "./sinks.ts"
import { start } from "./start.ts"
import { transform } from "./transform.ts"

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
  abort,
  transform,
  openBidirectional,
  openDuplex,
  interact,
  multiplex,
  demultiplex,
  execute,
  profile,
  circuitBreaker,
  circuitBreakerCall
]
