# Takes an order every few seconds. Its number comes from mainstay.toml.
number=$1
order=0
echo "$SHOP_NAME is open at counter $number"
sleep "$number"
while true; do
  order=$((order + 1))
  echo "order $order at counter $number" >data/orders
  echo "took order $order"
  sleep "$ORDER_EVERY"
done
