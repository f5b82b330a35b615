/** What becomes due in an order that changes while it waits: a binary heap by time, then by number. */
export class DueQueue<Entry extends { readonly number: number }> {
  readonly #heap: Array<{ readonly at: number; readonly entry: Entry }> = []

  push(at: number, entry: Entry): void {
    const heap = this.#heap
    const added = { at, entry }
    let place = heap.length
    heap.push(added)
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!isBefore(added, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = added
  }

  get first(): { readonly at: number; readonly entry: Entry } | undefined {
    return this.#heap[0]
  }

  removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let place = 0
    for (let child = 1; child < heap.length; child = 2 * place + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
  }

  clear(): void {
    this.#heap.length = 0
  }
}

interface Due {
  readonly at: number
  readonly entry: { readonly number: number }
}

const isBefore = (one: Due, other: Due): boolean => one.at < other.at || (one.at === other.at && one.entry.number < other.entry.number)
