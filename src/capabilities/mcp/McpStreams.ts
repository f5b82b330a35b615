import { BoundExceeded } from "../errors.ts"
import type { McpStreamHandle } from "./McpStreamHandle.ts"

const mostOpen = 1_000
const mostEnded = 100

/**
 * The MCP streams of a host, by id.
 *
 * **Bounds** 1,000 that have not ended; of those that have, the last 100.
 */
export class McpStreams {
  readonly #known = new Map<string, McpStreamHandle>()
  /** Oldest first. */
  readonly #ended: Array<McpStreamHandle> = []

  /** **Fails** by throwing `BoundExceeded`. */
  checkRoom(capability: string): void {
    if (this.#known.size - this.#ended.length < mostOpen) return
    throw new BoundExceeded(
      capability,
      `would be one stream more than the ${mostOpen} of this host that have not ended`,
      "Stop streams that are not needed (:mcp.stream.stop)."
    )
  }

  add(handle: McpStreamHandle): void {
    this.#known.set(handle.id, handle)
    const ended = () => {
      if (this.#known.get(handle.id) !== handle) return
      this.#ended.push(handle)
      if (this.#ended.length > mostEnded) this.forget(this.#ended[0]!)
    }
    handle.result.then(ended, ended)
  }

  find(id: string): McpStreamHandle | undefined {
    return this.#known.get(id)
  }

  forget(handle: McpStreamHandle): void {
    const at = this.#ended.indexOf(handle)
    if (at !== -1) this.#ended.splice(at, 1)
    if (this.#known.get(handle.id) === handle) this.#known.delete(handle.id)
  }

  /** Completes when those that are coming to their end have closed what they opened. */
  async closed(): Promise<void> {
    await Promise.all([...this.#known.values()].map((handle) => handle.closed.catch(() => {})))
  }

  all(): ReadonlyArray<McpStreamHandle> {
    return [...this.#known.values()]
  }
}
