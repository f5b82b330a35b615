import { Ring } from "./Ring.ts"

/** An order or a notice to an actor, beside the data: pause, stop, start a checkpoint, a child died. */
export interface ControlMessage {
  readonly type: string
  /** What it is about, where two of one type are not the same: the checkpoint, the child. */
  readonly subject?: string | number
}

/**
 * The small queue of control messages, read before any frame.
 *
 * Of two messages of the same type and subject only the later one is kept, in its place. That changes nothing, because
 * control messages are idempotent and the last of a kind decides (pause, resume, pause ends paused), and it is why the
 * lane needs no eviction: a sender that repeats itself takes one place.
 *
 * **Bounds** `maxMessages` different messages; what comes beyond them is refused, never dropped silently.
 */
export class ControlLane<Control extends ControlMessage> {
  private readonly messages = new Ring<Control>()

  get length(): number {
    return this.messages.length
  }

  /** Whether the message was taken; `false` where the lane is full of others. */
  send(message: Control): boolean {
    for (let i = 0; i < this.messages.length; i++) {
      const waiting = this.messages.at(i)!
      if (waiting.type === message.type && waiting.subject === message.subject) {
        this.messages.removeAt(i)
        break
      }
    }
    if (this.messages.length === maxMessages) return false
    this.messages.push(message)
    return true
  }

  take(): Control | undefined {
    return this.messages.shift()
  }
}

/** Far more than an actor's kinds of message; reached only by a sender that makes up ever new subjects. */
export const maxMessages = 256
