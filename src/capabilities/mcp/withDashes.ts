import { isPlainMap } from "../../serialization/index.ts"

/** The same map of options with `queue_capacity` written as `queue-capacity`: both are in use. */
export const withDashes = (map: unknown): unknown =>
  typeof map === "object" && map !== null && isPlainMap(map)
    ? Object.fromEntries(Object.entries(map).map(([key, value]) => [key.replaceAll("_", "-"), value]))
    : map
