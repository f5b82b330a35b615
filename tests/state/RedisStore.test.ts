import { storeContract } from "../contracts/store.ts"
import { freshPrefix, redisProblem, redisUrl, removeRedisKeys } from "./servers.ts"

const prefix = freshPrefix()
let places = 0
storeContract({
  name: "redis",
  isShared: true,
  freshUrl: () => `${redisUrl}?prefix=${prefix}${++places}:`,
  cleanUp: () => removeRedisKeys(prefix),
  unavailable: await redisProblem()
})
