import type * as Effect from "effect/Effect"
import type { ActorOrder } from "./Actor.ts"
import { ControlLane } from "./ControlLane.ts"
import type { Mailbox } from "./Mailbox.ts"
import { Parking } from "./Parking.ts"

/** Where the orders to an actor come in: its mailbox, or a lane of its own where it has none. */
export type Orders = Pick<Mailbox<ActorOrder>, "sendControl" | "takeControl" | "controlLength" | "awaitControl">

/** The orders of an actor without a mailbox. Most such actors never get one, so the lane is made for the first. */
export class OwnLane implements Orders {
  private lane: ControlLane<ActorOrder> | undefined
  private parking: Parking | undefined

  sendControl(order: ActorOrder): boolean {
    const isTaken = (this.lane ??= new ControlLane()).send(order)
    this.parking?.wake()
    return isTaken
  }

  takeControl(): ActorOrder | undefined {
    return this.lane?.take()
  }

  get controlLength(): number {
    return this.lane?.length ?? 0
  }

  get awaitControl(): Effect.Effect<void> {
    return (this.parking ??= new Parking(() => this.controlLength > 0)).wait
  }
}
