# Sends a mail every two seconds until its connection is lost: then it exits with 1, and Mainstay starts it again.
echo "connected"
for mail in 1 2 3 4; do
  sleep 2
  echo "sent mail $mail"
done
echo "connection lost" >&2
exit 1
