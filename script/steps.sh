# Sourced by script/test: numbered steps, their output in build/log, the time each took, and what ctest counted.
passed=0
failed=0
rm -f build/log/again
step_number=0
started=$SECONDS
mkdir -p build/log

duration() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

# step NAME COMMAND...: the log is shown when it fails, and then nothing follows.
step() {
  local name=$1 at=$SECONDS log=build/log/$1.log status
  shift
  step_number=$((step_number + 1))
  [[ $1 != script/build ]] || stop_building
  printf '==> [%d/%d] %s\n' "$step_number" "$steps" "$name"
  set +e  # not `if (...)`, which would switch -e off inside as well
  (set -e; "$@") >"$log" 2>&1
  status=$?
  set -e
  if [[ -s build/log/counts ]]; then
    local p f
    while read -r p f; do
      [[ $passed -gt 0 ]] || passed=$p  # the same tests run again in other builds; only failures add up
      failed=$((failed + f))
      printf '    %d tests passed, %d failed\n' "$p" "$f"
    done <build/log/counts
    rm -f build/log/counts
    sed 's/^/    skipped: /' build/log/skipped
  fi
  if [[ $status -ne 0 ]]; then
    tail -n 60 "$log"
    echo '--- what failed, from the whole log:'
    grep -nE -A6 ': Failure$|: error: |ERROR: |WARNING: ThreadSanitizer|runtime error: |SUMMARY: |^\[  FAILED  \] .*ms\)' "$log" |
      cut -c1-240 | head -n 60 || true
    echo "$passed passed, $failed failed"
    echo "script/test: FAILED at step $name (log: $log)"
    exit 1
  fi
  printf '    ok, %s\n' "$(duration $((SECONDS - at)))"
}

# ahead PRESET [targets...]: begins to build what the step after the next needs while the next one's tests wait for their
# servers: one file at a time, with what they leave of the processors. That step's own script/build takes over, with all
# of them, and says what went wrong if something did.
ahead() {
  set -m  # a group of its own, so that it ends with us
  CMAKE_BUILD_PARALLEL_LEVEL=1 chrt --idle 0 script/build "$@" </dev/null >/dev/null 2>&1 &
  set +m
}
stop_building() {
  local group
  for group in $(jobs -pr); do kill -- "-$group" 2>/dev/null || true; done
}
trap stop_building EXIT

steps_done() {
  echo "$passed passed, $failed failed"
  [[ ! -s build/log/again ]] || echo "passed only when run again, alone: $(paste -sd' ' build/log/again)"
  echo "script/test: $step_number steps passed in $(duration $((SECONDS - started)))"
}

# tests PRESET [ctest options...]: one more at a time than there are processors, for most of them wait. The number of
# cases is left in build/log/counts, and the names of those that were skipped in build/log/skipped.
#
# They speak with real servers and wait for real clocks, and a machine that has other work can starve one. So what failed
# by what it found is run again, alone; if it passes then, the last lines name it. No second chance has what crashed, hung or
# was caught by a sanitizer, nor, where one watches, a test in Python, which may have kept the report to itself; and nothing
# has one in script/test --full, which is for a quiet machine.
tests() {
  local preset=$1 status=0 log
  shift
  log=build/$preset/Testing/Temporary/LastTest.log
  ctest --test-dir "build/$preset" -j "$(($(nproc) + 1))" --output-on-failure --no-tests=error "$@" || status=$?
  count_cases "$log" >build/log/counts
  sed -nE 's/^\[  SKIPPED \] (.*) \([0-9]+ ms\)$/\1/p' "$log" | sort -u >build/log/skipped
  if [[ $status -ne 0 && ! ${TRUNKLINE_FULL:-} ]] && only_found_wrong "$preset" "$log"; then
    echo '--- again, alone'
    local first good bad
    first=$(sed 's/^[0-9]*://' "build/$preset/Testing/Temporary/LastTestsFailed.log" | paste -sd, | sed 's/,/, /g')
    if ctest --test-dir "build/$preset" --rerun-failed --output-on-failure "$@"; then
      status=0
      echo "$first ($preset)" >>build/log/again
      read -r good bad <build/log/counts
      echo "$((good + bad)) 0" >build/log/counts
    fi
  fi
  return $status
}
only_found_wrong() {
  ! grep -qE 'WARNING: ThreadSanitizer|ERROR: (Address|Leak)Sanitizer|runtime error: ' "$2" &&
    { [[ $1 == release ]] || ! grep -qE '^FAILED \((failures|errors)=' "$2"; } &&
    ! grep -qE '^(Test timeout computed|Exception: |.*\*\*\*(Exception|Timeout|Not Run))' "build/log/$1-tests.log" "$2"
}
# count_cases LOG: cases of GoogleTest that passed, and that failed; a program without cases counts as one, and so does one
# that died between cases.
count_cases() {
  awk '/^[0-9]+\/[0-9]+ Testing: /   { cases = bad = 0 }
       /^\[       OK \] /            { ++cases; ++good_total }
       /^\[  FAILED  \] .*\([0-9]+ ms\)$/ { ++cases; ++bad; ++bad_total }
       /^Test Passed\.$/             { if (!cases) ++good_total }
       /^Test Failed\.$/             { if (!bad) ++bad_total }
       END { print good_total + 0, bad_total + 0 }' "$1"
}
