/** How many bytes the sources of each stream have read, and of how many. */
export class ReadBytes {
  private readonly sources = new Map<string, { readonly done: number; readonly total: number | undefined }>()

  /** @param source.address of the actor that reads: `/pipelines/STREAM/NODE` */
  report({ address, done, total }: { readonly address: string; readonly done: number; readonly total: number | undefined }): void {
    this.sources.set(address, { done, total })
  }

  /** Of all sources together. The total is known when that of each one is. */
  of(stream: string): { readonly done: number; readonly total: number | undefined } | undefined {
    const own = [...this.sources].filter(([address]) => address.startsWith(`/pipelines/${stream}/`)).map(([, bytes]) => bytes)
    if (own.length === 0) return undefined
    const total = own.reduce<number | undefined>(
      (sum, bytes) => (sum === undefined || bytes.total === undefined ? undefined : sum + bytes.total),
      0
    )
    return { done: own.reduce((sum, bytes) => sum + bytes.done, 0), total }
  }
}
