#include "autoscale_help.h"

namespace trunkline::cli {

std::string autoscale_help() {
  return R"(A policy, before it goes live
  trunkline autoscale import hpa.yaml > chat.yaml            what you have, as a native policy
  trunkline autoscale lint chat.yaml                         what is known to go wrong
  trunkline autoscale show chat.yaml                         what it really says, defaults included
  trunkline autoscale simulate --policy chat.yaml --generate spike
  trunkline autoscale simulate --policy chat.yaml --policy hpa.yaml --input yesterday.jsonl --html report.html

And when it is live
  trunkline autoscale explain chat --last 5                  why it decided as it did: see trunkline explain --help)";
}

std::string autoscale_simulate_help() {
  return R"(The engine is the live system's own. Each decision of a recording starts from the replicas that were really
there ("what would it have said?") unless --closed-loop is given; a made-up world obeys the policy that it is
shown to, each policy in a world of its own under the same demand. docs/autoscale-replay.md has the schema.

Shapes
  step     low, then high, then low again          ramp     up slowly, down slowly
  spike    high for two minutes                    sine     two waves
  gap      steady; a tenth of the pods does not answer for two minutes
  rollout  steady; every pod is replaced           leak     low; every pod's gauge grows by itself

Compared are
  replica-min   replicas times minutes: what it costs
  over target   time in which demand was above capacity: what it costs the users
  changes       of the number of replicas          flaps    changes back within ten minutes
  largest, peak

Examples
  trunkline autoscale simulate --policy chat.yaml --generate gap --low 30 --high 30
  trunkline autoscale simulate --policy new.yaml --policy old.yaml --input yesterday.jsonl
  trunkline autoscale simulate --policy hpa.yaml --compat hpa --generate step --json | jq -c '[.t,.desired]'

Exit codes: 0 done, 2 misuse, 10 a policy or the recording is wrong, 23 the output cannot be written.)";
}

std::string autoscale_show_help() {
  return R"(Reads a policy as the live system does and prints it with every default. What it prints reads back as the
same.

Exit codes: 0 good, 10 wrong.)";
}

std::string autoscale_import_help() {
  return R"(Reads autoscaling/v2 HorizontalPodAutoscaler, KEDA's ScaledObject and kthena's AutoscalingPolicy with its
binding. Prints native policies, one document each. What could not be mapped is listed on stderr, and in a
comment above the policy. To run a HorizontalPodAutoscaler or an AutoscalingPolicy exactly as Kubernetes or kthena
would, do not import it: it is a policy as it is.

Examples
  kubectl get hpa web -o yaml | trunkline autoscale import - > web.yaml

Exit codes: 0 done, also when something could not be mapped; 10 the file is wrong.)";
}

std::string autoscale_lint_help() {
  return R"(Each finding has a place, a code, the reason and the cure. Reads all that `show` and `import` read.

Examples
  trunkline autoscale lint policies/*.yaml
  trunkline autoscale lint hpa.yaml --interval 30s --server-keep-alive 5s

Exit codes: 0 nothing found, 1 something found, 2 misuse, 10 a file is wrong.)";
}

}  // namespace trunkline::cli
