# Shows how the day goes.
while true; do
  echo "$PAGE_TITLE: $(wc -l <data/table)"
  sleep 5
done
