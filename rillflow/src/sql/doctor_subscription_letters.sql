-- Events that each group of a subscription gave up.
SELECT subscription || CASE group_name WHEN '' THEN '' ELSE ' of ' || group_name END, count(*), min(position)
FROM public.subscription_dead_letters
GROUP BY 1 ORDER BY 1
