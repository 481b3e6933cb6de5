# The database: keeps each order that comes through the pipe data/orders. Without the pipe it is not ready.
mkdir -p data
rm -f data/orders
echo "recovering"
sleep 2
mkfifo data/orders
touch data/table
echo "ready: $(wc -l <data/table) orders on file"
exec 3<>data/orders
while read -r order <&3; do
  echo "$order" >>data/table
  echo "kept: $order"
done
