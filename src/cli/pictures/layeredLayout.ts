/** A box to be placed. */
export interface Box {
  readonly id: string
  readonly width: number
  readonly height: number
}

export interface Arrow {
  readonly from: string
  readonly to: string
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  /** The left upper corner of each box. */
  readonly boxes: ReadonlyMap<string, Point>
  /** The bends of each arrow, in the order of the arrows; the first and the last stand on the edges of its boxes. */
  readonly routes: ReadonlyArray<ReadonlyArray<Point>>
}

/** A box, or the place in a layer where a long arrow passes through. */
interface Vertex {
  readonly width: number
  readonly height: number
  readonly layer: number
  readonly above: Array<Vertex>
  readonly below: Array<Vertex>
  place: number
  x: number
}

const gap = { boxes: 32, layers: 26 } as const
const sweeps = 24

/**
 * Places boxes in layers from top to bottom, by their longest way from a source (Sugiyama's method).
 *
 * Within a layer boxes are ordered so that few arrows cross (barycenters, sweeping down and up), then moved towards their
 * neighbours as far as none comes nearer to another than the gap: least squares under an order is an isotonic regression,
 * which pooling solves exactly. Arrows go straight from layer to layer and vertically through one, so none touches a box.
 *
 * @param arrows without cycles
 */
export const layeredLayout = (boxes: ReadonlyArray<Box>, arrows: ReadonlyArray<Arrow>): Layout => {
  const layerOf = layersOf(boxes, arrows)
  const vertices = new Map(boxes.map((box): [string, Vertex] => [box.id, vertex(box.width, box.height, layerOf.get(box.id)!)]))
  const layers: Array<Array<Vertex>> = []
  const add = (made: Vertex) => {
    while (layers.length <= made.layer) layers.push([])
    made.place = layers[made.layer]!.push(made) - 1
  }
  vertices.forEach(add)
  const ways = arrows.map(({ from, to }) => {
    const way = [vertices.get(from)!]
    const last = vertices.get(to)!
    for (let layer = way[0]!.layer + 1; layer < last.layer; layer++) {
      const passing = vertex(2, 0, layer)
      add(passing)
      way.push(passing)
    }
    way.push(last)
    way.slice(1).forEach((lower, index) => {
      way[index]!.below.push(lower)
      lower.above.push(way[index]!)
    })
    return way
  })
  order(layers)
  align(layers)

  const heights = layers.map((layer) => Math.max(0, ...layer.map(({ height }) => height)))
  const tops: Array<number> = []
  for (let layer = 0, top = 0; layer < layers.length; top += heights[layer]! + gap.layers, layer++) tops.push(top)
  const all = layers.flat()
  const left = all.length === 0 ? 0 : Math.min(...all.map(({ width, x }) => x - width / 2))
  return {
    width: all.length === 0 ? 0 : Math.max(...all.map(({ width, x }) => x + width / 2)) - left,
    height: layers.length === 0 ? 0 : tops.at(-1)! + heights.at(-1)!,
    boxes: new Map([...vertices].map(([id, { layer, width, x }]) => [id, { x: x - width / 2 - left, y: tops[layer]! }])),
    routes: ways.map((way) => route(way, tops, heights, left))
  }
}

const vertex = (width: number, height: number, layer: number): Vertex => ({ width, height, layer, above: [], below: [], place: 0, x: 0 })

const layersOf = (boxes: ReadonlyArray<Box>, arrows: ReadonlyArray<Arrow>): ReadonlyMap<string, number> => {
  const layers = new Map<string, number>()
  const into = new Map<string, Array<string>>()
  const out = new Map<string, Array<string>>()
  for (const { from, to } of arrows) {
    into.set(to, [...(into.get(to) ?? []), from])
    out.set(from, [...(out.get(from) ?? []), to])
  }
  const layerOf = (id: string): number => {
    const known = layers.get(id)
    if (known !== undefined) return known
    const layer = Math.max(-1, ...(into.get(id) ?? []).map(layerOf)) + 1
    layers.set(id, layer)
    return layer
  }
  for (const { id } of boxes) layerOf(id)
  // What nothing leads to stands right above what it leads to.
  for (const { id } of boxes) {
    const lower = (out.get(id) ?? []).map((to) => layers.get(to)!)
    if (!into.has(id) && lower.length > 0) layers.set(id, Math.min(...lower) - 1)
  }
  return layers
}

/** Sorts each layer by the middle of what each vertex is joined to in the layer before it, keeping the order with the fewest crossings. */
const order = (layers: ReadonlyArray<Array<Vertex>>): void => {
  const number = (layer: Array<Vertex>) => layer.forEach((each, place) => (each.place = place))
  let best = layers.map((layer) => [...layer])
  let fewest = crossings(layers)
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep++) {
    const down = sweep % 2 === 0
    for (const layer of down ? layers.slice(1) : layers.slice(0, -1).reverse()) {
      const middles = new Map(layer.map((each) => [each, middleOf(down ? each.above : each.below, ({ place }) => place) ?? each.place]))
      layer.sort((a, b) => middles.get(a)! - middles.get(b)! || a.place - b.place)
      number(layer)
    }
    const count = crossings(layers)
    if (count < fewest) {
      fewest = count
      best = layers.map((layer) => [...layer])
    }
  }
  layers.forEach((layer, index) => {
    layer.splice(0, layer.length, ...best[index]!)
    number(layer)
  })
}

const crossings = (layers: ReadonlyArray<ReadonlyArray<Vertex>>): number => {
  let count = 0
  for (const layer of layers) {
    const lines = layer.flatMap((upper) => upper.below.map((lower) => [upper.place, lower.place] as const))
    lines.forEach(([from, to], index) => {
      for (const [otherFrom, otherTo] of lines.slice(index + 1)) if ((from - otherFrom) * (to - otherTo) < 0) count++
    })
  }
  return count
}

const align = (layers: ReadonlyArray<ReadonlyArray<Vertex>>): void => {
  for (const layer of layers)
    settle(
      layer,
      layer.map(() => 0)
    )
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const down = sweep % 2 === 0
    for (const layer of down ? layers : [...layers].reverse()) {
      const near = (each: Vertex) => (sweep >= sweeps / 2 ? [...each.above, ...each.below] : down ? each.above : each.below)
      settle(
        layer,
        layer.map((each) => leaning(each, near(each)) ?? each.x)
      )
    }
  }
}

/** Gives the vertices of a layer the places nearest to those that they want, in their order and with gaps between them. */
const settle = (layer: ReadonlyArray<Vertex>, wanted: ReadonlyArray<number>): void => {
  // Without the room that those before it take, all that is left to ask for is that no place is less than the one before.
  let room = 0
  const offsets = layer.map(({ width }, place) => {
    const before = layer[place - 1]
    if (before !== undefined) room += before.width / 2 + gap.boxes + width / 2
    return room
  })
  const pools: Array<{ sum: number; weight: number; count: number }> = []
  layer.forEach(({ height }, place) => {
    const weight = weightOf(height)
    let pool = { sum: weight * (wanted[place]! - offsets[place]!), weight, count: 1 }
    for (let last = pools.at(-1); last !== undefined && last.sum / last.weight >= pool.sum / pool.weight; last = pools.at(-1)) {
      pools.pop()
      pool = { sum: last.sum + pool.sum, weight: last.weight + pool.weight, count: last.count + pool.count }
    }
    pools.push(pool)
  })
  let place = 0
  for (const { count, sum, weight } of pools) {
    for (let member = 0; member < count; member++, place++) layer[place]!.x = sum / weight + offsets[place]!
  }
}

/** A place that an arrow passes through gives way less than a box, so that long arrows are straight. */
const weightOf = (height: number): number => (height === 0 ? 8 : 1)

/** The middle of what a vertex is joined to; of a long arrow the next place on its way counts most. */
const leaning = ({ height }: Vertex, near: ReadonlyArray<Vertex>): number | undefined => {
  const weights = near.map((each) => (height === 0 ? weightOf(each.height) : 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return near.length === 0 ? undefined : near.reduce((sum, { x }, index) => sum + x * weights[index]!, 0) / total
}

const middleOf = (near: ReadonlyArray<Vertex>, of: (vertex: Vertex) => number): number | undefined =>
  near.length === 0 ? undefined : near.reduce((sum, each) => sum + of(each), 0) / near.length

const route = (
  way: ReadonlyArray<Vertex>,
  tops: ReadonlyArray<number>,
  heights: ReadonlyArray<number>,
  left: number
): ReadonlyArray<Point> =>
  way.flatMap(({ height, layer, x }, index) => {
    const top = { x: x - left, y: tops[layer]! }
    const bottom = { x: x - left, y: tops[layer]! + heights[layer]! }
    if (index === 0) return height < heights[layer]! ? [{ ...top, y: top.y + height }, bottom] : [bottom]
    return index === way.length - 1 ? [top] : [top, bottom]
  })
