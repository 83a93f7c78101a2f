// Shared by server and worker: the connection to Redis, and authentication.
import { createHmac, timingSafeEqual } from "node:crypto";

export const QUEUE = "downloads";
export const connection = {
  host: "127.0.0.1",
  port: Number(process.env.PEER_REDIS_PORT),
  maxRetriesPerRequest: null, // required by BullMQ's workers
};

const secret = process.env.PEER_SECRET;

// Returns the user id of a signed token (HS256), or null. Signature and expiry are checked at each
// request with Node's HMAC, which is faster than any JWT library. The service also checks that the
// user still exists, is active and has the same password.
export function userOf(authorization) {
  if (!authorization?.startsWith("Bearer ")) return null;
  const [header, payload, signature] = authorization.slice(7).split(".");
  if (!signature) return null;
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  return claims.exp > Date.now() / 1000 ? String(claims.user_id) : null;
}
