// The upload test for k6: 50, then 100 users without pauses; or a constant number of requests per
// minute. Failed checks are counted and do not stop the test.
import { check } from "k6";
import http from "k6/http";

const [up, hold, down] = (__ENV.STAGES || "").split(",");
const [some, many] = (__ENV.USERS || "").split(",").map(Number);
const minute = Number(__ENV.MINUTE_SECONDS);
const stages = [
  { duration: `${up}s`, target: some },
  { duration: `${hold}s`, target: many },
  { duration: `${down}s`, target: 0 },
];
const steady = {
  executor: "constant-arrival-rate",
  rate: Number(__ENV.REQUESTS_A_MINUTE),
  timeUnit: "1m",
  duration: `${minute}s`,
  preAllocatedVUs: 50,
  maxVUs: 200,
};

export const options = {
  scenarios: { uploads: minute ? steady : { executor: "ramping-vus", startVUs: 0, stages } },
  summaryTrendStats: ["med", "p(95)", "p(99)", "max"],
};

const picture = open(__ENV.PICTURE, "b");

export default function () {
  const form = { file: http.file(picture, "test.jpg", "image/jpeg") };
  const headers = { Authorization: `Bearer ${__ENV.TOKEN}` };
  const response = http.post(`${__ENV.URL}/upload`, form, { headers, timeout: "60s" });
  check(response, {
    "status is 202": (r) => r.status === 202,
    "response time < 200ms": (r) => r.timings.duration < 200,
  });
}
