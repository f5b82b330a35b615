import type { EdgeQueue } from "./EdgeQueue.ts"
import { Ring } from "./Ring.ts"

/**
 * Whose turn it is among the edges of a mailbox: each that has something to read gets one frame in turn.
 *
 * **Cost** constant, however many edges there are and however few of them have frames.
 */
export class Rotation {
  /** The next one first. An edge that was emptied or blocked meanwhile is only sorted out when it would be next. */
  private readonly turns = new Ring<EdgeQueue>()
  private deliverable = 0

  /** Whether any edge has something to read. */
  get hasWork(): boolean {
    return this.deliverable > 0
  }

  /**
   * To be called after every change of what an edge holds or of its being blocked.
   *
   * @returns whether it can be read now and could not before
   */
  update(queue: EdgeQueue): boolean {
    if (queue.isDeliverable === queue.isCounted) return false
    queue.isCounted = queue.isDeliverable
    this.deliverable += queue.isCounted ? 1 : -1
    if (queue.isCounted && !queue.isInRotation) this.add(queue)
    return queue.isCounted
  }

  /** The edge to read from, which keeps its turn. */
  next(): EdgeQueue | undefined {
    for (let queue = this.turns.first(); queue !== undefined; queue = this.turns.first()) {
      if (queue.isDeliverable) return queue
      queue.isInRotation = false
      this.turns.shift()
    }
    return undefined
  }

  /** A frame of this edge is worked off: if it was its turn, the others come first now. */
  endTurn(queue: EdgeQueue): void {
    if (this.turns.first() !== queue) return
    this.turns.shift()
    queue.isInRotation = false
    if (queue.isDeliverable) this.add(queue)
  }

  private add(queue: EdgeQueue): void {
    queue.isInRotation = true
    this.turns.push(queue)
  }
}
